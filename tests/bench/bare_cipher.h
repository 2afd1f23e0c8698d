// SPDX-License-Identifier: Apache-2.0
// The limit: ipsec-mb called directly, keys expanded, nonces and AAD ready, nothing around it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dataplane/base/cipher.h"
#include "dataplane/crypto/aead.h"

namespace magnetar::bench {

enum class Direction : std::uint8_t { kSeal, kOpen };

struct Buffer {
  std::byte* header;     // 16 bytes of AAD
  std::uint32_t length;  // of the text that follows it; 16 bytes of tag come after that
  const AeadKey* key;
};

// One way to call the library.
class BareCipher {
 public:
  virtual ~BareCipher() = default;
  [[nodiscard]] virtual std::string name() const = 0;
  virtual void run(Direction direction, std::span<const Buffer> buffers) = 0;
};

// Every way worth trying: the direct call, with prefetched keys and buffers or without; jobs one
// by one; bursts of jobs.
[[nodiscard]] std::vector<std::unique_ptr<BareCipher>> make_bare_ciphers(Cipher cipher);

}  // namespace magnetar::bench
