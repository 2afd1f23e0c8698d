// SPDX-License-Identifier: Apache-2.0
// A token bucket as one time stamp.
#pragma once

#include <algorithm>

#include "dataplane/base/time.h"

namespace magnetar {

struct TokenBucket {
  Instant full_at;  // when it will be full again
};

struct BucketRule {
  Duration refill;  // of one token
  int burst;        // tokens of a full bucket
};

[[nodiscard]] inline bool has_token(const TokenBucket& bucket, const BucketRule& rule,
                                    Instant now) {
  return bucket.full_at <= now + rule.refill * (rule.burst - 1);
}

inline void take_token(TokenBucket& bucket, const BucketRule& rule, Instant now) {
  bucket.full_at = std::max(bucket.full_at, now) + rule.refill;
}

}  // namespace magnetar
