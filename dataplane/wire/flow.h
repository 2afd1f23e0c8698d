// SPDX-License-Identifier: Apache-2.0
// Which packets must stay in order among themselves: a number for each flow, by which packets are
// dealt out to workers. No check of the packet: what is malformed has some number, too.
#pragma once

#include <cstdint>

#include "dataplane/base/bytes.h"

namespace magnetar::wire {

// Of an outside frame: the index in its Nebula header, as it is. We chose it, slot and all, so it
// says which worker the tunnel belongs to without any table. 0: not UDP over IP.
[[nodiscard]] std::uint32_t outside_flow(ByteView frame);

// Of an IP packet: addresses, protocol and ports. Fragments have no ports, so all fragments of two
// hosts are one flow.
[[nodiscard]] std::uint32_t inner_flow(ByteView packet);

}  // namespace magnetar::wire
