// SPDX-License-Identifier: Apache-2.0
// Where a peer is: the whole outer header as a template. Immutable; replaced when the peer moves
// or its next hop changes.
#pragma once

#include <cstdint>

#include "dataplane/base/addr.h"
#include "dataplane/wire/outer_packet.h"

namespace magnetar {

struct Remote {
  [[no_unique_address]] wire::OuterTemplate header;  // what follows takes the rest of its last line
  UnderlayAddr addr;
  bool reachable = false;  // false: the next hop is not known, `header` is empty
};

}  // namespace magnetar
