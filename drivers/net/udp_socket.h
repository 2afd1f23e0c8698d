// SPDX-License-Identifier: Apache-2.0
// A UDP socket on the Nebula port of one interface, as the outside device wants it.
#pragma once

#include <cstdint>
#include <string>

#include "dataplane/base/result.h"
#include "drivers/net/os_error.h"

namespace magnetar {

struct UdpSocketOptions {
  std::string interface;
  std::uint16_t port = 0;
  bool joins = false;  // a further one, next to the first of ours
};

// Dual stack, non-blocking, bound to port and interface; tells where each datagram was sent to.
[[nodiscard]] Result<UniqueFd, DeviceError> open_udp_socket(const UdpSocketOptions& options);
// `fd` joins others that have the port, and others may join it. Not said before the bind() of the
// first one, which therefore fails where another program, or another gateway, has the port.
[[nodiscard]] bool let_join(int fd);

// Whether the kernel takes many datagrams in one call (UDP_SEGMENT), and gives them (UDP_GRO, which
// this also turns on).
[[nodiscard]] bool takes_segments(int fd);
[[nodiscard]] bool turn_on_gro(int fd);

// What of the socket was lost for want of room, so far.
[[nodiscard]] std::uint64_t udp_drops(int fd);

// Why a port could not be bound.
[[nodiscard]] DeviceError bind_error(std::uint16_t port, int error);

}  // namespace magnetar
