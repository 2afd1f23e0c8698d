// SPDX-License-Identifier: Apache-2.0
// What a router tells the sender of a packet that it cannot forward: ICMP (RFC 792, RFC 1812
// section 4.3.2) and ICMPv6 (RFC 4443) errors, written in front of the packet itself.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/base/addr.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/time.h"
#include "dataplane/base/token_bucket.h"

namespace magnetar::wire {

enum class IcmpError : std::uint8_t {
  kTooBig,        // IPv4: destination unreachable, fragmentation needed; IPv6: packet too big
  kTimeExceeded,  // TTL or hop limit ran out on the way
};

// What must be writable in front of the packet.
inline constexpr std::size_t kIcmpErrorRoom = 48;

// Turns `packet`, a whole IP packet (parse_inner), into the error about it, from `from` to its
// sender: as much of it as the RFCs ask for stays, the headers lie in the kIcmpErrorRoom bytes in
// front of it. `mtu`: with kTooBig, the largest IP packet that would pass. Empty, and nothing
// written, where no error may be sent: about ICMP errors, later fragments, several receivers, or to
// nobody; and where `from` is of the other family.
[[nodiscard]] MutableBytes write_icmp_error(IcmpError error, std::uint16_t mtu, const IpAddr& from,
                                            MutableBytes packet);

// How many errors one worker sends: Linux's own bounds (net.ipv4.icmp_msgs_per_sec and
// icmp_msgs_burst), so that nobody is flooded by what others send in its name.
class IcmpLimit {
 public:
  // Takes a place for one error now; false: too many were sent lately.
  [[nodiscard]] bool take(Instant now) {
    if (!has_token(bucket_, kRule, now)) return false;
    take_token(bucket_, kRule, now);
    return true;
  }

 private:
  static constexpr BucketRule kRule{.refill = std::chrono::milliseconds(1), .burst = 50};
  TokenBucket bucket_;
};

}  // namespace magnetar::wire
