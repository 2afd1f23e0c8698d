// SPDX-License-Identifier: Apache-2.0
#include "controlplane/pki/decode.h"

#include <algorithm>

#include <sodium.h>

namespace magnetar::pki {

Fingerprint sha256(ByteView bytes) {
  Fingerprint out;
  crypto_hash_sha256(u8(MutableBytes(out.bytes)), u8(bytes), bytes.size());
  return out;
}

WallTime from_unix(std::int64_t unix_seconds) {
  using std::chrono::seconds;
  constexpr auto kFirst = std::chrono::ceil<seconds>(Duration::min());
  constexpr auto kLast = std::chrono::floor<seconds>(Duration::max());
  return WallTime{std::clamp(seconds{unix_seconds}, kFirst, kLast)};
}

std::int64_t to_unix(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}

}  // namespace magnetar::pki
