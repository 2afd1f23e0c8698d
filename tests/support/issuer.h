// SPDX-License-Identifier: Apache-2.0
// Hosts with certificates of either version or both, on either curve: made by the code that the
// tool uses. For version 1 field by field, and broken on purpose, see mint.h.
#pragma once

#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "controlplane/crypto/key_agreement.h"
#include "controlplane/identity.h"
#include "controlplane/pki/issue.h"
#include "tests/support/random.h"

namespace magnetar::testing {

struct HostSpec {
  std::string name;
  std::vector<std::string> networks;  // version 1 gets the first of IPv4
  std::set<int> versions = {2};
  int initiating = 0;  // 0: the lowest
  std::uint8_t key = 1;
  std::vector<std::string> unsafe_networks = {};
};

// One network with a CA of each version under one key; every host trusts both.
class Issuer {
 public:
  explicit Issuer(Curve curve = Curve::k25519, std::uint64_t seed = 3)
      : random_(seed),
        key_(crypto::SigningKey::generate(curve, random_)),
        ca_v1_(make_ca(1)),
        ca_v2_(make_ca(2)) {}

  [[nodiscard]] pki::Certificate certificate(const HostSpec& spec, std::uint8_t version) const {
    pki::Request request{.version = version,
                         .name = spec.name,
                         .networks = prefixes(spec.networks, version),
                         .unsafe_networks = prefixes(spec.unsafe_networks, version),
                         .not_before = kFrom,
                         .not_after = kFrom + std::chrono::hours(24 * 365),
                         .public_key = agreement().public_key_of(secret_of(spec))};
    if (version == 1) request.networks.resize(1);
    auto signed_one = pki::sign(request, version == 1 ? ca_v1_ : ca_v2_, key_);
    if (!signed_one) throw std::invalid_argument(signed_one.error().what);
    return *std::move(signed_one);
  }

  [[nodiscard]] Identity host(const HostSpec& spec) const {
    const int first = spec.initiating == 0 ? *spec.versions.begin() : spec.initiating;
    Identity identity{.certificate = certificate(spec, static_cast<std::uint8_t>(first)),
                      .private_key = secret_of(spec)};
    if (spec.versions.size() == 2)
      identity.other = certificate(spec, static_cast<std::uint8_t>(3 - first));
    for (const pki::Certificate* ca : {&ca_v1_, &ca_v2_})
      if (!identity.cas.add(*ca)) throw std::logic_error("a CA that does not verify");
    return identity;
  }
  [[nodiscard]] std::shared_ptr<const Identity> shared_host(const HostSpec& spec) const {
    return std::make_shared<const Identity>(host(spec));
  }

 private:
  static constexpr WallTime kFrom{std::chrono::seconds(1'740'000'000)};

  [[nodiscard]] const crypto::KeyAgreement& agreement() const {
    return crypto::key_agreement(key_.curve());
  }
  [[nodiscard]] static StaticPrivateKey secret_of(const HostSpec& spec) {
    std::array<std::byte, 32> scalar;
    scalar.fill(std::byte{spec.key});
    return StaticPrivateKey(scalar);
  }
  [[nodiscard]] static std::vector<Prefix> prefixes(const std::vector<std::string>& texts,
                                                    std::uint8_t version) {
    std::vector<Prefix> out;
    for (const std::string& text : texts) {
      const Prefix prefix = Prefix::parse(text).value();
      if (version == 2 || prefix.addr.is_v4()) out.push_back(prefix);
    }
    return out;
  }
  [[nodiscard]] pki::Certificate make_ca(std::uint8_t version) const {
    return pki::self_sign({.version = version,
                           .name = "ca-" + std::to_string(version),
                           .not_before = kFrom,
                           .not_after = kFrom + std::chrono::hours(24 * 365 * 2),
                           .public_key = key_.public_key()},
                          key_)
        .value();
  }

  SeededRandom random_;
  crypto::SigningKey key_;
  pki::Certificate ca_v1_;
  pki::Certificate ca_v2_;
};

}  // namespace magnetar::testing
