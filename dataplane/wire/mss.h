// SPDX-License-Identifier: Apache-2.0
// The largest segment that the two ends of a TCP connection agree on, lowered to what fits between
// them.
#pragma once

#include <cstddef>

#include "dataplane/base/bytes.h"

namespace magnetar::wire {

// Where `packet` is a TCP SYN, or its answer, over IPv4 or directly over IPv6: lowers its MSS
// option to what a path of `mtu` carries (RFC 9293 section 3.7.1), and mends the checksum (RFC
// 1624). Never raises it, and adds none. Believes nothing of the packet. Returns whether something
// was changed.
bool clamp_mss(MutableBytes packet, std::size_t mtu);

}  // namespace magnetar::wire
