// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/recv_error_limiter.h"

#include <sodium.h>

namespace magnetar {

RecvErrorLimiter::RecvErrorLimiter(RandomSource& random) { random.fill(hash_key_); }

bool RecvErrorLimiter::admit(const IpAddr& source, Instant now) {
  TokenBucket& own = bucket_of(source);
  if (!has_token(own, kPerSource, now) || !has_token(global_, kGlobal, now)) return false;
  take_token(own, kPerSource, now);
  take_token(global_, kGlobal, now);
  return true;
}

TokenBucket& RecvErrorLimiter::bucket_of(const IpAddr& source) {
  static_assert(crypto_shorthash_KEYBYTES == 16 && crypto_shorthash_BYTES == 8);
  std::array<std::byte, crypto_shorthash_BYTES> hash;
  const ByteView addr = source.mapped();
  crypto_shorthash(u8(MutableBytes(hash)), u8(addr), addr.size(), u8(ByteView(hash_key_)));
  return sources_[load_be<std::uint64_t>(std::span<const std::byte, 8>(hash)) % kSources];
}

}  // namespace magnetar
