// SPDX-License-Identifier: Apache-2.0
// The two curves a Nebula network may be made of. All its certificates and handshakes use one.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "dataplane/base/bytes.h"

namespace magnetar {

// The numbers are those of certificates (protocol/wire.md section 4).
enum class Curve : std::uint8_t {
  k25519 = 0,  // X25519 for hosts, Ed25519 for CAs
  kP256 = 1,   // ECDH and ECDSA
};

// As Nebula's tool prints it.
[[nodiscard]] constexpr std::string_view curve_name(Curve curve) {
  return curve == Curve::kP256 ? "P256" : "CURVE25519";
}

// Bytes of a public key, of a host as of a CA: P-256's is an uncompressed point, 04 || X || Y.
[[nodiscard]] constexpr std::size_t public_key_size(Curve curve) {
  return curve == Curve::kP256 ? 65 : 32;
}

// A public key of either curve, without an allocation. Whether it lies on its curve shows when it
// is used.
class PublicKey {
 public:
  PublicKey() = default;
  // None unless `bytes` is as long as a key of this curve is.
  [[nodiscard]] static std::optional<PublicKey> from(Curve curve, ByteView bytes) {
    if (bytes.size() != public_key_size(curve)) return std::nullopt;
    PublicKey key(curve);
    std::ranges::copy(bytes, key.bytes_.begin());
    return key;
  }
  // All zero: a place to write a key into.
  explicit PublicKey(Curve curve) : curve_(curve) {}

  [[nodiscard]] Curve curve() const { return curve_; }
  [[nodiscard]] ByteView view() const { return ByteView(bytes_).first(public_key_size(curve_)); }
  operator ByteView() const { return view(); }  // NOLINT: a key is its bytes wherever it travels
  [[nodiscard]] MutableBytes fill() { return MutableBytes(bytes_).first(public_key_size(curve_)); }
  friend bool operator==(const PublicKey&, const PublicKey&) = default;

 private:
  std::array<std::byte, public_key_size(Curve::kP256)> bytes_{};
  Curve curve_ = Curve::k25519;
};

}  // namespace magnetar
