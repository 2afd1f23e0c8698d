// SPDX-License-Identifier: Apache-2.0
// Sealing and opening, many packets at a time, in place. Implemented in drivers/crypto.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <sodium.h>

#include "dataplane/base/cipher.h"
#include "dataplane/base/prefetch.h"
#include "dataplane/base/secret.h"
#include "dataplane/crypto/nonce.h"
#include "dataplane/wire/header.h"

namespace magnetar {

// An expanded key schedule: a secret like the key itself. It should begin with a cache line, and
// leaves 16 bytes of its last one to its neighbour.
class alignas(16) AeadKey {
 public:
  static constexpr std::size_t kSize = 1008;
  AeadKey() = default;
  ~AeadKey() { sodium_memzero(bytes_.data(), kSize); }
  AeadKey(const AeadKey&) = delete;
  AeadKey& operator=(const AeadKey&) = delete;
  [[nodiscard]] const std::byte* reveal() const { return bytes_.data(); }
  [[nodiscard]] std::byte* fill() { return bytes_.data(); }
  void prefetch() const { magnetar::prefetch(bytes_.data(), kSize); }

 private:
  std::array<std::byte, kSize> bytes_{};
};

// A Nebula packet: its header, the associated data, lies in front of the text, the tag behind it.
struct AeadJob {
  static constexpr std::size_t kAad = wire::Header::kSize;

  [[nodiscard]] const std::byte* aad() const { return text - kAad; }
  // 16 bytes; seal writes them, open compares them.
  [[nodiscard]] std::byte* tag() const { return text + length; }

  Block16 nonce;  // 12 bytes and padding
  const AeadKey* key;
  std::byte* text;       // in place
  const void* next;      // a line that whoever comes after the cipher needs: asked for meanwhile
  std::uint32_t length;  // of the text
  bool authentic;        // set by open
};

// Jobs between asking for a key and using it.
inline constexpr std::size_t kKeysAhead = 2;

// One instance a thread: implementations keep scratch state.
class Aead {
 public:
  virtual ~Aead() = default;
  [[nodiscard]] virtual Cipher cipher() const = 0;
  virtual void expand(const TransportKey& key, AeadKey& out) = 0;
  // Both ask for the keys of jobs ahead; the caller did for the first kKeysAhead, if it cares.
  virtual void seal(std::span<AeadJob> jobs) = 0;
  // Opens in place; where `authentic` comes out false the text is garbage and must go nowhere.
  virtual void open(std::span<AeadJob> jobs) = 0;
};

}  // namespace magnetar
