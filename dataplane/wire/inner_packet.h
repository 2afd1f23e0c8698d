// SPDX-License-Identifier: Apache-2.0
// The IP packet inside the tunnel: just enough of it to route and to check its source.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "dataplane/base/addr.h"
#include "dataplane/base/bytes.h"

namespace magnetar::wire {

struct InnerView {
  const std::byte* source = nullptr;       // 4 or 16 bytes within the packet
  const std::byte* destination = nullptr;  // the same
  bool v4 = true;

  [[nodiscard]] IpAddr source_addr() const { return address(source); }
  [[nodiscard]] IpAddr destination_addr() const { return address(destination); }

 private:
  [[nodiscard]] IpAddr address(const std::byte* at) const {
    return v4 ? IpAddr::v4(std::span<const std::byte, 4>(at, 4))
              : IpAddr::v6(std::span<const std::byte, 16>(at, 16));
  }
};

namespace detail {

inline bool parse_inner_v4(ByteView packet, InnerView& view) {
  if (packet.size() < 20) return false;
  const std::size_t header = (std::to_integer<std::size_t>(packet[0]) & 0xfU) * 4;
  const std::size_t total = load_be_at<std::uint16_t>(&packet[2]);
  if (header < 20 || total < header || total != packet.size()) return false;
  const std::size_t fragment_offset = (load_be_at<std::uint16_t>(&packet[6]) & 0x1fffU) * 8;
  if (fragment_offset + total > 0xffff) return false;
  view.source = &packet[12];
  view.destination = &packet[16];
  view.v4 = true;
  return true;
}

inline bool parse_inner_v6(ByteView packet, InnerView& view) {
  if (packet.size() < 40 || packet.size() - 40 != load_be_at<std::uint16_t>(&packet[4]))
    return false;
  view.source = &packet[8];
  view.destination = &packet[24];
  view.v4 = false;
  return true;
}

}  // namespace detail

// What its first byte says, whatever the rest of it is.
[[nodiscard]] inline bool says_ipv6(const std::byte* packet) {
  return std::to_integer<unsigned>(*packet) >> 4U == 6;
}

// A whole IPv4 or IPv6 packet: the header's length is the packet's, and a fragment ends within
// 65,535 bytes. None: it is not one. `view` points into `packet`.
[[nodiscard]] inline bool parse_inner(ByteView packet, InnerView& view) {
  if (packet.empty()) return false;
  switch (std::to_integer<unsigned>(packet[0]) >> 4U) {
    case 4:
      return detail::parse_inner_v4(packet, view);
    case 6:
      return detail::parse_inner_v6(packet, view);
    default:
      return false;
  }
}

}  // namespace magnetar::wire
