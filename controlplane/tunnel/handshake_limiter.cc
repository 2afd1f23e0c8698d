// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/handshake_limiter.h"

#include <algorithm>

#include <sodium.h>

#include "dataplane/base/bytes.h"

namespace magnetar {
namespace {

// A second's worth at once, so that a late timer or a short burst costs nobody his share.
BucketRule a_second(std::uint32_t tokens) {
  const std::uint32_t some = std::max(tokens, 1U);
  return {Duration(std::chrono::seconds(1)) / some, static_cast<int>(some)};
}

}  // namespace

HandshakeLimiter::HandshakeLimiter(std::uint32_t max_per_second, RandomSource& random)
    : max_per_second_(std::min(max_per_second, 1'000'000U)),
      per_prefix_(a_second(max_per_second_ / 8)),
      common_rule_(a_second(max_per_second_ - max_per_second_ / 4)),
      kept_rule_(a_second(max_per_second_ / 4)),
      prefixes_(max_per_second_ == 0 ? 0 : kPrefixes) {
  random.fill(hash_key_);
}

bool HandshakeLimiter::admit(const IpAddr& source, Instant now) {
  if (max_per_second_ == 0) return true;
  const std::uint64_t hash = hash_of_prefix(source);
  Slot& slot = prefixes_[hash % kPrefixes];
  if (!has_token(slot.bucket, per_prefix_, now)) return false;
  if (has_token(common_, common_rule_, now))
    take_token(common_, common_rule_, now);
  else if (max_per_second_ >= 4 && slot.vouched == hash && has_token(kept_, kept_rule_, now))
    take_token(kept_, kept_rule_, now);
  else
    return false;
  take_token(slot.bucket, per_prefix_, now);
  return true;
}

void HandshakeLimiter::vouch_for(const IpAddr& source) {
  if (max_per_second_ == 0) return;
  const std::uint64_t hash = hash_of_prefix(source);
  prefixes_[hash % kPrefixes].vouched = hash;
}

std::uint64_t HandshakeLimiter::hash_of_prefix(const IpAddr& source) const {
  static_assert(crypto_shorthash_KEYBYTES == 16 && crypto_shorthash_BYTES == 8);
  const std::size_t kept = source.is_v4() ? 12 + 3 : 6;
  const ByteView prefix = ByteView(source.mapped()).first(kept);
  std::array<std::byte, crypto_shorthash_BYTES> hash;
  crypto_shorthash(u8(MutableBytes(hash)), u8(prefix), prefix.size(), u8(ByteView(hash_key_)));
  return load_be<std::uint64_t>(std::span<const std::byte, 8>(hash));
}

}  // namespace magnetar
