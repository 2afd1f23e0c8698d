// SPDX-License-Identifier: Apache-2.0
// Where a peer is: the whole outer header as a template. Immutable; replaced when the peer moves
// or its next hop changes.
#pragma once

#include <algorithm>
#include <cstdint>

#include "dataplane/base/addr.h"
#include "dataplane/base/huge_memory.h"
#include "dataplane/wire/header.h"
#include "dataplane/wire/outer_packet.h"

namespace magnetar {

struct Remote : InSlab<Remote> {
  // Empty: the next hop is not known. What follows takes the rest of its last line.
  [[no_unique_address]] wire::OuterTemplate header;
  UnderlayAddr addr;
  // What the path carries, in bytes of an outer IP packet, where that is less than the port does.
  std::uint16_t path_mtu = 0xffff;

  // Length of the largest inner packet that reaches the peer in one outer packet of at most
  // `outside_mtu`, whoever sends that: the kernel must not have to fragment it either.
  [[nodiscard]] std::size_t carries(std::uint16_t outside_mtu) const {
    const std::size_t around = wire::outer_overhead(addr.ip.is_v4()) + wire::kOverhead;
    const std::size_t most = std::min(outside_mtu, path_mtu);
    return most > around ? most - around : 0;
  }
  [[nodiscard]] bool reachable() const { return header.size() != 0; }
};

}  // namespace magnetar
