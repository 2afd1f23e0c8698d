// SPDX-License-Identifier: Apache-2.0
// How many handshakes we answer a second (`handshake.max_per_second`), shared out by the prefix
// they come from: /24 of IPv4, /48 of IPv6. Memory is fixed, whatever the number of sources.
//
// One prefix gets at most an eighth. A quarter of all is kept for prefixes from which a peer has
// completed a tunnel, and so cannot be taken by sources that are made up.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "dataplane/base/token_bucket.h"
#include "dataplane/base/addr.h"
#include "dataplane/base/random.h"

namespace magnetar {

class HandshakeLimiter {
 public:
  static constexpr std::size_t kPrefixes = 4096;

  // 0: no limit. Draws the key of the hash, so that nobody can choose whose bucket to share.
  HandshakeLimiter(std::uint32_t max_per_second, RandomSource& random);
  // True: a stage 1 from there may be answered now, and is counted.
  [[nodiscard]] bool admit(const IpAddr& source, Instant now);
  // A peer there has proved to be there.
  void vouch_for(const IpAddr& source);

 private:
  struct Slot {
    TokenBucket bucket;
    std::optional<std::uint64_t> vouched;  // the hash of the last prefix that was vouched for
  };
  [[nodiscard]] std::uint64_t hash_of_prefix(const IpAddr& source) const;

  std::uint32_t max_per_second_;
  BucketRule per_prefix_;
  BucketRule common_rule_;
  BucketRule kept_rule_;
  std::array<std::byte, 16> hash_key_;
  TokenBucket common_;
  TokenBucket kept_;
  std::vector<Slot> prefixes_;
};

}  // namespace magnetar
