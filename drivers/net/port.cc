// SPDX-License-Identifier: Apache-2.0
// AF_XDP, UDP and AF_PACKET leave the interface with the kernel, which is then its own twin; its
// addresses, MTU and queues are not touched. Of an ethdev, MTU and queues are set. Checksum offload
// is not used: workers write the outer checksums themselves, and ignore those received.
#include "drivers/net/port.h"

#include <algorithm>

#include <linux/bpf.h>
#include <rte_eal.h>

#include "drivers/net/ethdev_device.h"
#include "drivers/net/outside_device.h"
#include "drivers/net/packet_device.h"
#include "drivers/net/port_note.h"
#include "drivers/net/udp_device.h"
#include "drivers/net/xdp_device.h"

namespace magnetar {

struct OutsidePort::Impl {
  OutsideBackend backend = OutsideBackend::kEthdev;
  std::unique_ptr<OutsideDevice> device;
  MacAddr mac{};
  std::string offloads;
  std::string note;
};

namespace {

// "0000:3b:00.0": the EAL was told of it and has it already. Anything else is a vdev to attach.
bool is_pci_address(const std::string& port) {
  return !port.empty() && std::ranges::all_of(port, [](char c) {
    return std::isxdigit(static_cast<unsigned char>(c)) != 0 || c == ':' || c == '.';
  });
}

Result<std::unique_ptr<OutsideDevice>, DeviceError> open_ethdev(const OutsidePortOptions& options,
                                                                rte_mempool* pool) {
  const std::size_t comma = std::min(options.port.find(','), options.port.size());
  EthdevOptions ethdev{.name = options.port.substr(0, comma),
                       .hotplug = !is_pci_address(options.port),
                       .mtu = options.mtu,
                       .queues = options.queues,
                       .workers = options.workers,
                       .interrupts = options.interrupts};
  if (comma < options.port.size()) ethdev.arguments = options.port.substr(comma + 1);
  auto device = EthdevDevice::open(ethdev, pool);
  if (!device) return fail(std::move(device).error());
  return std::move(*device);
}

Result<std::unique_ptr<OutsideDevice>, DeviceError> open_device(const OutsidePortOptions& options,
                                                                rte_mempool* pool) {
  switch (options.backend) {
    case OutsideBackend::kAfXdp:
      return open_xdp_device({.interface = options.port,
                              .rule = {options.listen_port, options.networks, options.own},
                              .mtu = options.mtu,
                              .queues = options.queues,
                              .workers = options.workers,
                              .zero_copy_only = options.zero_copy_only},
                             pool);
    case OutsideBackend::kUdp:
      return open_udp_device({.interface = options.port,
                              .listen_port = options.listen_port,
                              .queues = options.queues,
                              .workers = options.workers},
                             pool);
    case OutsideBackend::kAfPacket:
      return open_packet_device({.interface = options.port,
                                 .listen_port = options.listen_port,
                                 .mtu = options.mtu,
                                 .queues = options.queues,
                                 .workers = options.workers},
                                pool);
    case OutsideBackend::kEthdev:
      break;
  }
  return open_ethdev(options, pool);
}

std::string note_on(const OutsideDevice& device, const OutsidePortOptions& options) {
  PortTraits traits{.backend = options.backend,
                    .inside = !options.networks.empty(),
                    .name = options.port,
                    .own = device.note(),
                    .wanted_queues = options.queues,
                    .receive_queues = device.receive_queues(),
                    .transmit_queues = device.transmit_queues(),
                    .workers = options.workers,
                    .hugepages = rte_eal_has_hugepages() != 0};
  if (options.backend != OutsideBackend::kEthdev) traits.nic = nic_of(options.port);
  return port_note(traits);
}

}  // namespace

std::string_view backend_name(OutsideBackend backend) {
  switch (backend) {
    case OutsideBackend::kAfXdp:
      return "af_xdp";
    case OutsideBackend::kUdp:
      return "udp";
    case OutsideBackend::kAfPacket:
      return "af_packet";
    case OutsideBackend::kEthdev:
      break;
  }
  return "ethdev";
}

std::uint16_t packet_data_room(std::uint16_t mtu) {
  const std::uint32_t for_packet = kPortHeadroom + packet_ring_slot(mtu);
  const std::uint32_t for_xdp = XDP_PACKET_HEADROOM + kEthernetHeader + mtu;
  return static_cast<std::uint16_t>(
      std::min<std::uint32_t>(UINT16_MAX, std::max(for_packet, for_xdp) + kPortTailroom));
}

OutsidePort::OutsidePort() : impl_(std::make_unique<Impl>()) {}
OutsidePort::~OutsidePort() = default;

Result<std::unique_ptr<OutsidePort>, DeviceError> OutsidePort::open(
    const OutsidePortOptions& options, rte_mempool* pool) {
  auto device = open_device(options, pool);
  if (!device) return fail(std::move(device).error());
  std::unique_ptr<OutsidePort> port(new OutsidePort);
  port->impl_->backend = options.backend;
  port->impl_->mac = (*device)->mac();
  port->impl_->offloads = (*device)->offloads();
  port->impl_->note = note_on(**device, options);
  port->impl_->device = std::move(*device);
  return port;
}

std::unique_ptr<PortQueue> OutsidePort::queue_for_worker(std::uint16_t worker,
                                                         std::optional<std::uint16_t> rx_queue) {
  return impl_->device->queue(worker, rx_queue);
}

const MacAddr& OutsidePort::mac() const { return impl_->mac; }
OutsideBackend OutsidePort::backend() const { return impl_->backend; }
std::uint16_t OutsidePort::receive_queues() const { return impl_->device->receive_queues(); }
PortCounters OutsidePort::counters() const { return {impl_->device->rx_missed()}; }
const std::string& OutsidePort::offloads() const { return impl_->offloads; }
bool OutsidePort::by_sockets() const { return impl_->device->by_sockets(); }
bool OutsidePort::kernel_has_rest() const {
  return backend() == OutsideBackend::kAfXdp || backend() == OutsideBackend::kEthdev;
}
const std::string& OutsidePort::note() const { return impl_->note; }

}  // namespace magnetar
