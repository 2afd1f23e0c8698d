// SPDX-License-Identifier: Apache-2.0
// What OutsidePort needs of a backend. Three there are: any ethdev (AF_PACKET is one),
// AF_XDP, and UDP sockets.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "dataplane/base/addr.h"
#include "dataplane/port.h"

namespace magnetar {

class OutsideDevice {
 public:
  virtual ~OutsideDevice() = default;
  virtual std::unique_ptr<PortQueue> queue(std::uint16_t worker,
                                           std::optional<std::uint16_t> rx_queue) = 0;
  [[nodiscard]] virtual MacAddr mac() const = 0;
  [[nodiscard]] virtual std::uint16_t receive_queues() const = 0;
  [[nodiscard]] virtual std::uint16_t transmit_queues() const = 0;
  [[nodiscard]] virtual std::uint64_t rx_missed() const = 0;
  [[nodiscard]] virtual std::string note() const = 0;
  [[nodiscard]] virtual std::string offloads() const { return {}; }  // in force; empty: it has none
  // Whether its own sockets have the Nebula port (others may join), and the kernel routes what it
  // sends. Else it works beside the kernel.
  [[nodiscard]] virtual bool by_sockets() const { return false; }
};

// What PortQueue promises of a received packet.
inline constexpr std::uint16_t kPortHeadroom = 128;
inline constexpr std::uint16_t kPortTailroom = 64;
inline constexpr std::uint16_t kEthernetHeader = 14;

}  // namespace magnetar
