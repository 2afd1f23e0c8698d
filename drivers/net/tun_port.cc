// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/tun_port.h"

#include <net/if.h>
#include <rte_mbuf.h>

#include "dataplane/base/check.h"
#include "drivers/net/inside_link.h"
#include "drivers/net/tun_device.h"
#include "drivers/net/tun_queue.h"

namespace magnetar {
struct TunPort::Impl {
  [[nodiscard]] Result<void, DeviceError> create(const InsideOptions& options);

  std::string name;
  int link_index = 0;
  rte_mempool* pool = nullptr;
  bool vnet_header = false;
  TunOffloads offloads;
  std::string offloads_text;
  std::vector<UniqueFd> queues;
};

TunPort::TunPort() : impl_(std::make_unique<Impl>()) {}
TunPort::~TunPort() = default;

// The device and all its queues.
Result<void, DeviceError> TunPort::Impl::create(const InsideOptions& options) {
  const TunFlags flags{
      .kind = TunKind::kTun, .multi_queue = options.queues > 1, .vnet_header = options.offloads};
  name = options.name;
  auto first = create_tun(name, flags);
  if (!first) return fail(std::move(first).error());
  queues.push_back(std::move(*first));
  while (queues.size() < options.queues) {
    auto next = add_tun_queue(name, flags);
    if (!next) return fail(std::move(next).error());
    queues.push_back(std::move(*next));
  }
  vnet_header = options.offloads;
  if (vnet_header) offloads = set_tun_offloads(queues.front().get());
  offloads_text = vnet_header ? offloads.text() : "off";
  return {};
}

Result<std::unique_ptr<TunPort>, DeviceError> TunPort::open(const InsideOptions& options,
                                                            rte_mempool* pool) {
  if (auto fits = check_buffers(options, pool, kTunTailroom); !fits)
    return fail(std::move(fits).error());
  std::unique_ptr<TunPort> port(new TunPort);
  Impl& impl = *port->impl_;
  impl.pool = pool;
  if (auto done = impl.create(options); !done) return fail(std::move(done).error());
  impl.link_index = static_cast<int>(if_nametoindex(impl.name.c_str()));
  if (auto done = set_up_inside_link(impl.link_index, options); !done)
    return fail(std::move(done).error());
  return port;
}

std::unique_ptr<PortQueue> TunPort::queue_for_worker(std::uint16_t worker,
                                                     std::optional<std::uint16_t> rx_queue,
                                                     WorkerStats& stats) {
  MAGNETAR_CHECK(!rx_queue || *rx_queue < impl_->queues.size());
  TunDescriptors fds;
  if (rx_queue) fds.read = impl_->queues[*rx_queue].get();
  // Any number of threads may write to one descriptor; spreading them keeps them apart.
  fds.write = fds.read.value_or(impl_->queues[worker % impl_->queues.size()].get());
  if (!impl_->vnet_header) return make_tun_queue(fds, impl_->pool);
  const offload::CoalesceRules rules{.tcp = impl_->offloads.tcp, .udp = impl_->offloads.udp};
  return make_tun_offload_queue(fds, impl_->pool, rules, stats);
}

std::uint16_t TunPort::receive_queues() const {
  return static_cast<std::uint16_t>(impl_->queues.size());
}
const std::string& TunPort::name() const { return impl_->name; }
const std::string& TunPort::offloads() const { return impl_->offloads_text; }
std::string TunPort::note() const {
  if (!impl_->vnet_header) return kOffloadsAreOff;
  if (!impl_->offloads.tcp) return "this kernel gives and takes one packet at a time";
  if (!impl_->offloads.udp) return "UDP many packets at once needs Linux 6.2 or newer";
  return {};
}
int TunPort::link_index() const { return impl_->link_index; }
int TunPort::fd() const { return impl_->queues.front().get(); }

}  // namespace magnetar
