// SPDX-License-Identifier: Apache-2.0
// An outside device over a kernel interface by AF_XDP: Nebula's datagrams come to us, everything
// else stays with the kernel.
#pragma once

#include <memory>
#include <string>

#include "dataplane/base/result.h"
#include "drivers/eal.h"
#include "drivers/net/outside_device.h"
#include "drivers/net/xdp_steer.h"

struct rte_mempool;

namespace magnetar {

struct XdpDeviceOptions {
  std::string interface;
  SteerRule rule;
  std::uint16_t mtu = 1500;
  std::uint16_t queues = 1;
  std::uint16_t workers = 1;
  bool zero_copy_only = false;
};

// An error leaves nothing behind: AF_PACKET may be tried next.
[[nodiscard]] Result<std::unique_ptr<OutsideDevice>, DeviceError> open_xdp_device(
    const XdpDeviceOptions& options, rte_mempool* pool);

}  // namespace magnetar
