// SPDX-License-Identifier: Apache-2.0
// IP packets as a host would put them into a tunnel: a good header and a filled payload.
#pragma once

#include <algorithm>
#include <span>
#include <string_view>

#include "dataplane/base/addr.h"
#include "dataplane/base/bytes.h"

namespace magnetar::testing {

inline Bytes ipv4(IpAddr from, IpAddr to, std::size_t payload) {
  Bytes packet(20 + payload, std::byte{0xab});
  packet[0] = std::byte{0x45};
  store_be<std::uint16_t>(std::span(packet).subspan<2, 2>(),
                          static_cast<std::uint16_t>(packet.size()));
  packet[6] = packet[7] = std::byte{0};
  std::ranges::copy(from.network_bytes(), packet.begin() + 12);
  std::ranges::copy(to.network_bytes(), packet.begin() + 16);
  return packet;
}

inline Bytes ipv6(const IpAddr& from, const IpAddr& to, std::size_t payload) {
  Bytes packet(40 + payload, std::byte{0xcd});
  packet[0] = std::byte{0x60};
  store_be<std::uint16_t>(std::span(packet).subspan<4, 2>(), static_cast<std::uint16_t>(payload));
  std::ranges::copy(from.network_bytes(), packet.begin() + 8);
  std::ranges::copy(to.network_bytes(), packet.begin() + 24);
  return packet;
}

inline Bytes ipv6(std::string_view from, std::string_view to, std::size_t payload) {
  return ipv6(*IpAddr::parse(from), *IpAddr::parse(to), payload);
}

}  // namespace magnetar::testing
