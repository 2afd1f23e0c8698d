// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/vhost_port.h"

#include <fcntl.h>
#include <net/if.h>
#include <sys/stat.h>

#include "drivers/net/inside_link.h"
#include "drivers/net/interface.h"
#include "drivers/net/netlink.h"
#include "drivers/net/os_error.h"
#include "drivers/net/tun_device.h"
#include "drivers/net/vhost_queue.h"

namespace magnetar {
namespace {

constexpr const char* kDevice = "net_virtio_user_inside";
constexpr const char* kTapMac = "02:6d:67:6e:00:02";

bool is_socket(const std::string& path) {
  struct stat found {};
  return stat(path.c_str(), &found) == 0 && S_ISSOCK(found.st_mode);
}

// DPDK says less of what is wrong.
Result<void, DeviceError> check_device(const VhostOptions& options) {
  if (is_socket(options.path)) return {};
  const UniqueFd fd(open(options.path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd) {
    const int error = errno;
    DeviceError refusal = os_error("inside.device = \"vhost\" cannot open " + options.path, error);
    if (error == ENOENT || error == ENODEV || error == ENXIO)
      refusal.what +=
          ": modprobe vhost_net on the host, and pass the device into a container or virtual "
          "machine";
    refusal.what += "; inside.device = \"tun\" needs nothing of it";
    return fail(std::move(refusal));
  }
  // DPDK would join it.
  if (if_nametoindex(options.inside.name.c_str()) != 0)
    return fail(name_is_taken(options.inside.name));
  return {};
}

EthdevOptions ethdev_options(const VhostOptions& options) {
  EthdevOptions out{.name = kDevice,
                    .hotplug = true,
                    .queues = options.inside.queues,
                    .workers = options.workers,
                    .interrupts = options.interrupts,
                    .chains = true,
                    .offloads = options.inside.offloads};
  out.arguments = "path=" + options.path + ",queues=" + std::to_string(options.inside.queues) +
                  ",queue_size=1024,mac=" + kTapMac;
  if (!is_socket(options.path)) out.arguments += ",iface=" + options.inside.name;
  return out;
}

std::string note_on(const EthdevDevice& device, const InsideOptions& options) {
  std::string note = device.note();
  const auto add = [&note](const char* text) {
    note += (note.empty() ? "" : "; ") + std::string(text);
  };
  const EthdevOffloads& in_force = device.in_force();
  if (!options.offloads)
    add(kOffloadsAreOff);
  else if (!in_force.receive_many || !in_force.send_many)
    add("this vhost gives or takes one packet at a time");
  else
    add("UDP comes and goes one packet at a time; inside.device = \"tun\" takes many");
  return note;
}

}  // namespace

VhostPort::VhostPort(std::unique_ptr<EthdevDevice> device, const InsideOptions& options,
                     rte_mempool* pool)
    : device_(std::move(device)),
      pool_(pool),
      name_(options.name),
      note_(note_on(*device_, options)) {
  const EthdevOffloads& in_force = device_->in_force();
  // Checksums always: Linux 6.1, where it has to finish them itself, refuses UDP_SEGMENT.
  offloads_ = TunOffloads{.checksum = in_force.receive_checksum,
                          .tcp = in_force.receive_many && in_force.send_many}
                  .text();
}

Result<std::unique_ptr<VhostPort>, DeviceError> VhostPort::open(const VhostOptions& options,
                                                                rte_mempool* pool) {
  if (auto fits = check_buffers(options.inside, pool, kEthernetHeader + kPortTailroom); !fits)
    return fail(std::move(fits).error());
  if (auto there = check_device(options); !there) return fail(std::move(there).error());
  auto device = EthdevDevice::open(ethdev_options(options), pool);
  if (!device) return fail(std::move(device).error());
  std::unique_ptr<VhostPort> port(new VhostPort(std::move(*device), options.inside, pool));
  if (auto done = port->set_up_link(options.inside); !done) return fail(std::move(done).error());
  return port;
}

Result<void, DeviceError> VhostPort::set_up_link(const InsideOptions& options) {
  const auto facts = interface_facts(name_);
  if (!facts) return fail(facts.error());
  mac_ = facts->mac;
  const auto index = static_cast<int>(facts->index);
  if (auto done = turn_arp_off(index); !done) return done;
  return set_up_inside_link(index, options);
}

std::unique_ptr<PortQueue> VhostPort::queue_for_worker(std::uint16_t worker,
                                                       std::optional<std::uint16_t> rx_queue,
                                                       WorkerStats& stats) {
  return make_vhost_queue(device_->queue(worker, rx_queue), pool_,
                          {.interface = mac_, .send_many = device_->in_force().send_many}, stats);
}

}  // namespace magnetar
