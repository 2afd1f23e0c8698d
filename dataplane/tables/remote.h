// SPDX-License-Identifier: Apache-2.0
// Where a peer is: the whole outer header as a template. Immutable; replaced when the peer moves
// or its next hop changes.
#pragma once

#include <cstdint>

#include "dataplane/base/addr.h"
#include "dataplane/base/huge_memory.h"
#include "dataplane/wire/outer_packet.h"

namespace magnetar {

struct Remote : InSlab<Remote> {
  // Empty: the next hop is not known. What follows takes the rest of its last line.
  [[no_unique_address]] wire::OuterTemplate header;
  UnderlayAddr addr;

  [[nodiscard]] bool reachable() const { return header.size() != 0; }
};

}  // namespace magnetar
