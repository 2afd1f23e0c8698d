// SPDX-License-Identifier: Apache-2.0
// An outside device over a kernel interface by AF_PACKET: DPDK's driver, whose sockets get a filter
// so that only the Nebula port's datagrams are copied to us. Everything reaches the kernel too.
#pragma once

#include <memory>
#include <string>

#include "dataplane/base/result.h"
#include "drivers/eal.h"
#include "drivers/net/outside_device.h"

struct rte_mempool;

namespace magnetar {

struct PacketDeviceOptions {
  std::string interface;
  std::uint16_t listen_port = 0;
  std::uint16_t mtu = 1500;
  std::uint16_t queues = 1;
  std::uint16_t workers = 1;
};

[[nodiscard]] Result<std::unique_ptr<OutsideDevice>, DeviceError> open_packet_device(
    const PacketDeviceOptions& options, rte_mempool* pool);

// The size of one slot of the kernel's ring for frames of `mtu`: what DPDK's driver may copy out of
// it at once, so a packet buffer needs at least as much room.
[[nodiscard]] std::uint32_t packet_ring_slot(std::uint16_t mtu);

}  // namespace magnetar
