// SPDX-License-Identifier: Apache-2.0
// The limit: ipsec-mb called directly, keys expanded, nonces and AAD ready, nothing around it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/base/cipher.h"

namespace magnetar::bench {

enum class Direction : std::uint8_t { kSeal, kOpen };

struct Buffer {
  std::byte* header;     // 16 bytes of AAD
  std::uint32_t length;  // of the text that follows it; 16 bytes of tag come after that
};

// One way to call the library.
class BareCipher {
 public:
  virtual ~BareCipher() = default;
  virtual void run(Direction direction, std::span<const Buffer> buffers) = 0;
};

// The fastest of the library's interfaces for this cipher (docs/performance.md).
[[nodiscard]] std::unique_ptr<BareCipher> make_bare_cipher(Cipher cipher);

}  // namespace magnetar::bench
