// SPDX-License-Identifier: Apache-2.0
#include "controlplane/pki/issue.h"

#include <functional>

#include <gtest/gtest.h>

#include "controlplane/crypto/key_agreement.h"
#include "controlplane/pki/ca_pool.h"
#include "controlplane/pki/codec.h"
#include "controlplane/pki/pem.h"
#include "tests/support/random.h"
#include "tests/support/vectors.h"

namespace magnetar::pki {
namespace {

using crypto::SigningKey;

constexpr WallTime at(std::int64_t unix_seconds) {
  return WallTime{std::chrono::seconds{unix_seconds}};
}

std::vector<Prefix> prefixes(std::initializer_list<const char*> texts) {
  std::vector<Prefix> out;
  for (const char* text : texts) out.push_back(Prefix::parse(text).value());
  return out;
}

struct Network {
  Network(Curve curve, std::uint8_t version) : key(SigningKey::generate(curve, random)) {
    Request request{.version = version,
                    .name = "ca",
                    .not_before = at(1'700'000'000),
                    .not_after = at(1'900'000'000),
                    .public_key = key.public_key()};
    ca = self_sign(request, key).value();
  }
  [[nodiscard]] Request host(std::uint8_t version) {
    Secret<32> secret;
    random.fill(secret.fill());
    return {.version = version,
            .name = "host",
            .networks = prefixes({"10.42.0.1/16"}),
            .not_before = at(1'700'000'000),
            .not_after = at(1'800'000'000),
            .public_key = crypto::key_agreement(ca.curve).public_key_of(secret)};
  }
  testing::SeededRandom random{5};
  SigningKey key;
  Certificate ca;
};

TEST(Issue, WhatIsSignedVerifiesWhateverVersionsAndCurve) {
  for (const Curve curve : {Curve::k25519, Curve::kP256}) {
    for (const std::uint8_t ca_version : {std::uint8_t{1}, std::uint8_t{2}}) {
      Network network(curve, ca_version);
      EXPECT_EQ(network.ca.version, ca_version);
      EXPECT_TRUE(network.ca.is_ca);
      EXPECT_EQ(network.ca.issuer, std::nullopt);
      CaPool pool;
      ASSERT_TRUE(pool.add(network.ca));
      for (const std::uint8_t version : {std::uint8_t{1}, std::uint8_t{2}}) {
        SCOPED_TRACE(std::string(curve_name(curve)) + " " + std::to_string(version));
        Request request = network.host(version);
        request.groups = {"b", "a"};
        request.unsafe_networks = prefixes({"192.168.0.0/16", "0.0.0.0/0"});
        const auto host = sign(request, network.ca, network.key);
        ASSERT_TRUE(host) << host.error().what;
        EXPECT_TRUE(pool.verify(*host, at(1'750'000'000), {}));
        EXPECT_EQ(host->version, version);
        EXPECT_EQ(host->curve, curve);
        EXPECT_EQ(host->groups, request.groups);
        EXPECT_EQ(host->not_after, request.not_after);
        EXPECT_EQ(host->public_key, to_vector(request.public_key));
        EXPECT_EQ(host->issuer, network.ca.fingerprint);
        const auto read = certificates_from_pem(to_pem(*host));
        ASSERT_TRUE(read);
        EXPECT_EQ(read->front().fingerprint, host->fingerprint);
        EXPECT_TRUE(pool.verify(read->front(), at(1'750'000'000), {}));
      }
    }
  }
}

TEST(Issue, NetworksAreSortedInVersion2Only) {
  Network network(Curve::k25519, 2);
  Request request = network.host(2);
  request.networks = prefixes({"fd42::1/64", "10.43.0.1/16", "10.42.0.1/16"});
  const auto v2 = sign(request, network.ca, network.key);
  ASSERT_TRUE(v2) << v2.error().what;
  EXPECT_EQ(v2->networks, prefixes({"10.42.0.1/16", "10.43.0.1/16", "fd42::1/64"}));
  request.version = 1;
  request.networks = prefixes({"10.43.0.1/16", "10.42.0.1/16"});
  const auto v1 = sign(request, network.ca, network.key);
  ASSERT_TRUE(v1) << v1.error().what;
  EXPECT_EQ(v1->networks, request.networks);
}

TEST(Issue, FractionsOfSecondsAreCut) {
  Network network(Curve::k25519, 2);
  Request request = network.host(2);
  request.not_before += std::chrono::milliseconds(999);
  const auto host = sign(request, network.ca, network.key);
  ASSERT_TRUE(host) << host.error().what;
  EXPECT_EQ(host->not_before, at(1'700'000'000));
}

TEST(Issue, RefusesWhatVerificationWould) {
  const struct {
    const char* why;
    std::uint8_t version;
    std::function<void(Request&)> change;
    const char* what;
  } cases[] = {
      {"no name", 2, [](Request& r) { r.name.clear(); }, "a name is needed"},
      {"a long name", 2, [](Request& r) { r.name.assign(254, 'n'); },
       "a name not of 1 to 253 bytes"},
      {"a name beyond all bounds", 2, [](Request& r) { r.name.assign(100'000, 'n'); },
       "more names and networks than fit into a certificate"},
      {"no network", 2, [](Request& r) { r.networks.clear(); }, "a host without a network"},
      {"no network in version 1", 1, [](Request& r) { r.networks.clear(); },
       "it would be without an overlay address"},
      {"IPv6 in version 1", 1, [](Request& r) { r.networks = prefixes({"fd42::1/64"}); },
       "a version 1 certificate holds IPv4 networks only"},
      {"IPv6 behind it in version 1", 1, [](Request& r) { r.unsafe_networks = prefixes({"::/0"}); },
       "a version 1 certificate holds IPv4 networks only"},
      {"version 3", 3, [](Request&) {}, "there is no such version"},
      {"outlives its CA", 2, [](Request& r) { r.not_after = at(1'900'000'001); },
       "it would be valid for longer than its CA"},
      {"older than its CA", 2, [](Request& r) { r.not_before = at(1'600'000'000); },
       "it would be valid from a time before its CA"},
      {"ends before it begins", 2, [](Request& r) { r.not_after = at(1'699'999'999); },
       "it would end before it begins"},
      {"a network twice", 2,
       [](Request& r) {
         r.networks = prefixes({"10.42.0.1/16", "10.42.0.1/16"});
       },
       "networks: one is there twice"},
      {"loopback", 2, [](Request& r) { r.networks = prefixes({"::1/64"}); },
       "it would be for an overlay address that no host can have (loopback, multicast, broadcast "
       "or unspecified)"},
      {"a key of the other curve", 2, [](Request& r) { r.public_key = PublicKey(Curve::kP256); },
       "the host's key is of another curve"},
      {"a group that is not UTF-8", 2, [](Request& r) { r.groups = {"\xff"}; },
       "a group is not UTF-8"},
  };
  for (const auto& [why, version, change, what] : cases) {
    SCOPED_TRACE(why);
    Network network(Curve::k25519, 2);
    Request request = network.host(version);
    change(request);
    const auto host = sign(request, network.ca, network.key);
    ASSERT_FALSE(host);
    EXPECT_EQ(host.error().what, what);
  }
}

TEST(Issue, RefusesTheKeyOfAnother) {
  Network network(Curve::k25519, 2);
  testing::SeededRandom random(77);
  const SigningKey stranger = SigningKey::generate(Curve::k25519, random);
  const auto host = sign(network.host(2), network.ca, stranger);
  ASSERT_FALSE(host);
  EXPECT_EQ(host.error().what, "the private key does not belong to the CA's certificate");
  Request ca = network.host(2);
  ca.public_key = network.key.public_key();
  EXPECT_FALSE(self_sign(ca, stranger));
  const auto below_a_host =
      sign(network.host(2), *sign(network.host(2), network.ca, network.key), network.key);
  ASSERT_FALSE(below_a_host);
  EXPECT_EQ(below_a_host.error().what, "the certificate to sign with is not a CA's");
}

// The two rows that nebula-cert refuses to sign.
TEST(Issue, RefusesWhatNebulasToolRefuses) {
  const auto file = testing::load_vectors("certificates-v2.json");
  const auto& row = file["cas"]["v2-restricted"];
  const Certificate ca = certificates_from_pem(row["pem"].get<std::string>()).value().front();
  const auto key = signing_key_from_pem(row["key_pem"].get<std::string>());
  ASSERT_TRUE(key);
  Request request{.name = "restricted",
                  .networks = prefixes({"10.42.1.1/16"}),
                  .groups = {"servers"},
                  .not_before = ca.not_before,
                  .not_after = ca.not_after,
                  .public_key = PublicKey(Curve::k25519)};
  ASSERT_TRUE(sign(request, ca, *key));
  request.networks = prefixes({"10.44.1.1/16"});
  auto refused = sign(request, ca, *key);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().what, "it would be for a network its CA may not give out");
  request.networks = prefixes({"10.42.1.1/16"});
  request.groups = {"admins"};
  refused = sign(request, ca, *key);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().what, "it would be in a group its CA may not give out");
}

}  // namespace
}  // namespace magnetar::pki
