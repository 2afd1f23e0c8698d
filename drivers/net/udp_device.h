// SPDX-License-Identifier: Apache-2.0
// An outside device over a kernel interface by plain UDP sockets, many datagrams a system call
// where they belong together. The kernel routes and resolves; its frames' headers are made up here,
// and ours are read for the addresses in them only.
#pragma once

#include <memory>
#include <string>

#include "dataplane/base/result.h"
#include "drivers/eal.h"
#include "drivers/net/outside_device.h"

struct rte_mempool;

namespace magnetar {

struct UdpDeviceOptions {
  std::string interface;
  std::uint16_t listen_port = 0;
  std::uint16_t queues = 1;
  std::uint16_t workers = 1;
};

// An error leaves nothing behind: AF_PACKET may be tried next.
[[nodiscard]] Result<std::unique_ptr<OutsideDevice>, DeviceError> open_udp_device(
    const UdpDeviceOptions& options, rte_mempool* pool);

}  // namespace magnetar
