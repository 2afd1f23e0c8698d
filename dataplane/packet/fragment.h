// SPDX-License-Identifier: Apache-2.0
// An IPv4 packet in pieces (RFC 791), for a way that is too narrow for it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

struct rte_mbuf;

namespace magnetar {

inline constexpr std::size_t kMostFragments = 32;  // of one packet
using FragmentRoom = std::array<rte_mbuf*, kMostFragments>;

// How many pieces of at most `mtu` bytes a packet of `length` makes, `header` of which are its
// header.
[[nodiscard]] constexpr std::size_t fragments_of(std::size_t length, std::size_t header,
                                                 std::size_t mtu) {
  if (mtu < header + 8 || length <= header) return kMostFragments + 1;
  const std::size_t each = (mtu - header) & ~std::size_t{7};
  return (length - header + each - 1) / each;
}

// Copies a whole IPv4 packet (parse_inner) that may be fragmented into pieces of at most `mtu`
// bytes, in order, each complete with its checksum and with the head- and tailroom of a new mbuf.
// Empty: there is no memory, or it would take more than there is room for. `packet` stays the
// caller's.
[[nodiscard]] std::span<rte_mbuf*> fragment_ipv4(rte_mbuf& packet, std::uint16_t mtu,
                                                 FragmentRoom& room);

}  // namespace magnetar
