// SPDX-License-Identifier: Apache-2.0
// Hosts of a test network: an authority makes certificates, a host has one and trusts it (needs
// `proto_dep`, `pki_dep` and `handshake_dep`).
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "controlplane/handshake/noise_ix.h"
#include "controlplane/identity.h"
#include "tests/support/mint.h"

namespace magnetar::testing {

// Within the validity of everything minted here.
inline constexpr WallTime kWallStart{std::chrono::seconds(1'750'000'000)};

class Authority {
 public:
  explicit Authority(std::uint8_t seed = 0x11)
      : key_(seed), certificate_(decoded(seal(ca_details(key_), key_))) {}

  // `network` as "10.42.0.1/16"; `key` names the host's X25519 key.
  [[nodiscard]] Identity host(std::string_view name, std::string_view network, std::uint8_t key,
                              const Change& change = {}) const {
    std::array<std::byte, 32> scalar;
    scalar.fill(std::byte{key});
    StaticPrivateKey secret{scalar};
    auto details = host_details(certificate_, name, network, noise::public_key_of(secret));
    if (change) change(details);
    Identity identity{.certificate = decoded(seal(details, key_)),
                      .private_key = std::move(secret)};
    if (!identity.cas.add(certificate_)) throw std::logic_error("a CA that does not verify");
    return identity;
  }
  [[nodiscard]] std::shared_ptr<const Identity> shared_host(std::string_view name,
                                                            std::string_view network,
                                                            std::uint8_t key,
                                                            const Change& change = {}) const {
    return std::make_shared<const Identity>(host(name, network, key, change));
  }
  [[nodiscard]] const pki::Certificate& certificate() const { return certificate_; }

 private:
  SigningKey key_;
  pki::Certificate certificate_;
};

}  // namespace magnetar::testing
