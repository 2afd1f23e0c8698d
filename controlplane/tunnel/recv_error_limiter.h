// SPDX-License-Identifier: Apache-2.0
// How often we answer strangers with a recv_error: so often in all, so often one source. Memory is
// fixed, whatever the number of sources; sources that share a bucket share its budget.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "dataplane/base/token_bucket.h"
#include "dataplane/base/addr.h"
#include "dataplane/base/random.h"

namespace magnetar {

class RecvErrorLimiter {
 public:
  static constexpr BucketRule kGlobal{std::chrono::milliseconds(1), 100};
  static constexpr BucketRule kPerSource{std::chrono::milliseconds(100), 10};
  static constexpr std::size_t kSources = 4096;

  // Draws the key of the hash, so that nobody can choose whose bucket to share.
  explicit RecvErrorLimiter(RandomSource& random);
  // True: one may be sent to `source` now, and is counted.
  [[nodiscard]] bool admit(const IpAddr& source, Instant now);

 private:
  [[nodiscard]] TokenBucket& bucket_of(const IpAddr& source);

  std::array<std::byte, 16> hash_key_;
  TokenBucket global_;
  std::vector<TokenBucket> sources_{kSources};
};

}  // namespace magnetar
