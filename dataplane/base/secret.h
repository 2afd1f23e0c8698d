// SPDX-License-Identifier: Apache-2.0
// Key material that wipes itself. Cannot be copied, streamed or formatted; `reveal` is the word
// to look for in an audit.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include <sodium.h>

namespace magnetar {

template <std::size_t N>
class Secret {  // declaring the move forbids the copy
 public:
  static constexpr std::size_t kSize = N;

  Secret() = default;  // all zero: a place to write a key into
  explicit Secret(std::span<const std::byte, N> from) { std::ranges::copy(from, bytes_.begin()); }
  ~Secret() { wipe(); }
  Secret(Secret&& other) noexcept : bytes_(other.bytes_) { other.wipe(); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      bytes_ = other.bytes_;
      other.wipe();
    }
    return *this;
  }

  [[nodiscard]] std::span<const std::byte, N> reveal() const { return bytes_; }
  // For the function that produces the key.
  [[nodiscard]] std::span<std::byte, N> fill() { return bytes_; }
  // A second copy, on purpose.
  [[nodiscard]] Secret duplicate() const { return Secret(reveal()); }
  friend bool operator==(const Secret& a, const Secret& b) {
    return sodium_memcmp(a.bytes_.data(), b.bytes_.data(), N) == 0;  // constant time
  }

 private:
  void wipe() { sodium_memzero(bytes_.data(), N); }

  std::array<std::byte, N> bytes_{};
};

struct StaticPrivateKey : Secret<32> {  // X25519 scalar of the host certificate
  using Secret::Secret;
};
struct EphemeralPrivateKey : Secret<32> {  // X25519 scalar of one handshake
  using Secret::Secret;
};
struct TransportKey : Secret<32> {  // AEAD key of one direction of one tunnel
  using Secret::Secret;
};

}  // namespace magnetar
