// SPDX-License-Identifier: Apache-2.0
// [pki] with certificates of either version, both, and P-256.
#include <functional>

#include <gtest/gtest.h>

#include "controlplane/config/diff.h"
#include "controlplane/pki/pem.h"
#include "tests/support/issuer.h"
#include "tests/unit/controlplane/config/material.h"

namespace magnetar::config {
namespace {

using ::magnetar::testing::HostSpec;
using ::magnetar::testing::Issuer;

constexpr std::string_view kConfig =
    "[pki]\nca = \"ca.crt\"\ncert = \"host.crt\"\nkey = \"host.key\"\n";

HostSpec host_of(std::vector<std::string> networks = {"10.42.0.1/16", "fd42::1/64"}) {
  return {.name = "gateway", .networks = std::move(networks), .versions = {1, 2}, .key = 7};
}

// Files of one network. `versions`: which certificates host.crt holds, in this order.
struct Files {
  explicit Files(Curve with = Curve::k25519) : curve(with), issuer(with) {
    const Identity identity = issuer.host(host_of());
    std::string cas;
    for (const auto& [fingerprint, ca] : identity.cas.cas()) cas += pki::to_pem(ca);
    material.write("ca.crt", cas);
    write_key(7);
  }
  void write_key(std::uint8_t number) const {
    std::array<std::byte, 32> scalar;
    scalar.fill(std::byte{number});
    material.write("host.key", pki::to_pem(pki::HostKey{curve, StaticPrivateKey(scalar)}));
  }
  void write_certificates(const std::vector<std::pair<HostSpec, int>>& certificates) const {
    std::string text;
    for (const auto& [spec, version] : certificates)
      text += pki::to_pem(issuer.certificate(spec, static_cast<std::uint8_t>(version)));
    material.write("host.crt", text);
  }
  [[nodiscard]] Loaded load(std::string_view more = "") const {
    return material.load(completed(std::string(kConfig) + std::string(more)));
  }

  Curve curve;
  Issuer issuer;
  Material material;
};

TEST(Versions, OneOrBothOfOneHost) {
  const struct {
    const char* why;
    std::vector<std::pair<HostSpec, int>> certificates;
    const char* more;
    int initiating;
    bool both;
    std::size_t addresses;
  } cases[] = {
      {"version 1", {{host_of(), 1}}, "", 1, false, 1},
      {"version 2", {{host_of(), 2}}, "", 2, false, 2},
      {"both, begins with 1", {{host_of(), 1}, {host_of(), 2}}, "", 1, true, 2},
      {"both the other way round", {{host_of(), 2}, {host_of(), 1}}, "", 1, true, 2},
      {"both, begins with 2",
       {{host_of(), 1}, {host_of(), 2}},
       "initiating_version = 2\n",
       2,
       true,
       2},
      {"both, begins with 1, said",
       {{host_of(), 1}, {host_of(), 2}},
       "initiating_version = 1\n",
       1,
       true,
       2},
      {"version 2, said", {{host_of(), 2}}, "initiating_version = 2\n", 2, false, 2},
  };
  for (const Curve curve : {Curve::k25519, Curve::kP256}) {
    const Files files(curve);
    for (const auto& [why, certificates, more, initiating, both, addresses] : cases) {
      SCOPED_TRACE(std::string(why) + ", " + std::string(curve_name(curve)));
      files.write_certificates(certificates);
      const auto loaded = files.load(more);
      ASSERT_TRUE(loaded.config.has_value()) << listing(loaded);
      EXPECT_EQ(listing(loaded), "");
      const Identity& identity = *loaded.config->identity;
      EXPECT_EQ(identity.certificate.version, initiating);
      EXPECT_EQ(identity.other.has_value(), both);
      EXPECT_EQ(identity.curve(), curve);
      EXPECT_EQ(identity.overlay_addrs().size(), addresses);
      EXPECT_EQ(identity.answer_to(static_cast<std::uint8_t>(3 - initiating)).version,
                both ? 3 - initiating : initiating);
    }
  }
}

TEST(Versions, WhatIsWrongIsSaidWhereItStands) {
  const HostSpec elsewhere = host_of({"10.42.0.9/16"});
  HostSpec other_key = host_of();
  other_key.key = 8;
  const struct {
    const char* why;
    std::vector<std::pair<HostSpec, int>> certificates;
    const char* more;
    const char* says;
  } cases[] = {
      {"two of version 2",
       {{host_of(), 2}, {elsewhere, 2}},
       "",
       "m.toml:3:8: error: pki.cert: holds 2 certificates; one, this host's, is expected, or one "
       "of "
       "each version\n"},
      {"three",
       {{host_of(), 1}, {host_of(), 2}, {elsewhere, 1}},
       "",
       "m.toml:3:8: error: pki.cert: holds 3 certificates; one, this host's, is expected, or one "
       "of "
       "each version\n"},
      {"two hosts",
       {{host_of(), 1}, {elsewhere, 2}},
       "",
       "m.toml:3:8: error: pki.cert: the version 1 and the version 2 certificate of \"gateway\" "
       "have "
       "different first networks (10.42.0.1/16 and 10.42.0.9/16); have both signed with the "
       "same\n"},
      {"the second network of one first in the other",
       {{host_of({"10.43.0.1/16", "10.42.0.1/16"}), 1},
        {host_of({"10.43.0.1/16", "10.42.0.1/16"}), 2}},
       "",
       "m.toml:3:8: error: pki.cert: the version 1 and the version 2 certificate of \"gateway\" "
       "have "
       "different first networks (10.43.0.1/16 and 10.42.0.1/16); have both signed with the "
       "same\n"},
      {"two keys",
       {{host_of(), 1}, {other_key, 2}},
       "",
       "m.toml:3:8: error: pki.cert: the version 1 and the version 2 certificate of \"gateway\" "
       "are "
       "of different keys; have both signed for the public key of pki.key\n"},
      {"the key of another",
       {{other_key, 2}},
       "",
       "m.toml:4:7: error: pki.key: the private key does not belong to the certificate of "
       "\"gateway\" in pki.cert; use the key that was made with it\n"},
      {"a version that is not there",
       {{host_of(), 2}},
       "initiating_version = 1\n",
       "m.toml:5:22: error: pki.initiating_version: is 1, but pki.cert holds no version 1 "
       "certificate; add one or leave this key out\n"},
      {"a version that nobody has",
       {{host_of(), 2}},
       "initiating_version = 3\n",
       "m.toml:5:22: error: pki.initiating_version: is 3; certificates are of version 1 or 2\n"},
      {"a version in words",
       {{host_of(), 2}},
       "initiating_version = \"2\"\n",
       "m.toml:5:22: error: pki.initiating_version: is a string; an integer is expected, for "
       "example 2\n"},
  };
  for (const auto& [why, certificates, more, says] : cases) {
    SCOPED_TRACE(why);
    const Files files;
    files.write_certificates(certificates);
    const auto loaded = files.load(more);
    EXPECT_FALSE(loaded.config.has_value());
    EXPECT_EQ(listing(loaded), says);
  }
}

TEST(Versions, BothAreLookedAt) {
  const Files files;
  files.write_certificates({{host_of(), 1}, {host_of(), 2}});
  const auto v2 = files.issuer.certificate(host_of(), 2).fingerprint.to_string();
  const auto loaded = files.load("blocklist = [\"" + v2 + "\"]\n");
  EXPECT_EQ(listing(loaded),
            "m.toml:3:8: error: pki.cert: the version 2 certificate of \"gateway\" (" + v2 +
                ") is on pki.blocklist; use another certificate or take it "
                "off the list\n");
}

TEST(Versions, AKeyOfTheOtherCurve) {
  const Files files(Curve::kP256);
  files.write_certificates({{host_of(), 2}});
  std::array<std::byte, 32> scalar;
  scalar.fill(std::byte{7});
  files.material.write("host.key",
                       pki::to_pem(pki::HostKey{Curve::k25519, StaticPrivateKey(scalar)}));
  EXPECT_EQ(
      listing(files.load()),
      "m.toml:4:7: error: pki.key: the private key is of curve CURVE25519, the certificate of "
      "\"gateway\" in pki.cert of curve P256; use the key that was made with it\n");
}

TEST(Versions, WhatAReloadMayChange) {
  const struct {
    const char* why;
    std::vector<std::pair<HostSpec, int>> before;
    std::vector<std::pair<HostSpec, int>> after;
    std::vector<std::string> restart;
    std::vector<std::string> live;
  } cases[] = {
      {"nothing", {{host_of(), 2}}, {{host_of(), 2}}, {}, {}},
      {"upgrade, with the same networks",
       {{host_of({"10.42.0.1/16"}), 1}},
       {{host_of({"10.42.0.1/16"}), 2}},
       {},
       {"pki.cert", "pki.initiating_version"}},
      {"version 2 beside it",
       {{host_of({"10.42.0.1/16"}), 1}},
       {{host_of({"10.42.0.1/16"}), 1}, {host_of({"10.42.0.1/16"}), 2}},
       {},
       {"pki.cert"}},
      {"an IPv6 address comes with it",
       {{host_of(), 1}},
       {{host_of(), 1}, {host_of(), 2}},
       {"pki.cert (its networks)"},
       {"pki.cert"}},
  };
  for (const auto& [why, before, after, restart, live] : cases) {
    SCOPED_TRACE(why);
    const Files files;
    files.write_certificates(before);
    const auto first = files.load();
    files.write_certificates(after);
    const auto second = files.load();
    ASSERT_TRUE(first.config && second.config) << listing(first) << listing(second);
    EXPECT_EQ(needs_restart(*first.config, *second.config), restart);
    EXPECT_EQ(changed_live(*first.config, *second.config), live);
  }
}

TEST(Versions, AnotherCurveTakesARestart) {
  const Files x25519;
  const Files p256(Curve::kP256);
  x25519.write_certificates({{host_of(), 2}});
  p256.write_certificates({{host_of(), 2}});
  const auto first = x25519.load();
  const auto second = p256.load();
  ASSERT_TRUE(first.config && second.config) << listing(first) << listing(second);
  EXPECT_EQ(needs_restart(*first.config, *second.config),
            std::vector<std::string>{"pki.cert (its curve)"});
}

// The kernel gives no IPv6 address to a device of a smaller MTU.
TEST(Versions, Ipv6InsideNeedsItsSmallestMtu) {
  const Files files;
  const struct {
    const char* mtu;
    std::vector<std::string> networks;
    bool fits;
  } cases[] = {
      {"1279", {"10.42.0.1/16", "fd42::1/64"}, false},
      {"1280", {"10.42.0.1/16", "fd42::1/64"}, true},
      {"1279", {"10.42.0.1/16"}, true},
  };
  for (const auto& [mtu, networks, fits] : cases) {
    SCOPED_TRACE(mtu + std::to_string(networks.size()));
    files.write_certificates({{host_of(networks), 2}});
    const auto loaded = files.load("[inside]\nmtu = " + std::string(mtu) + "\n");
    const auto errors = only(loaded, Severity::kError);
    ASSERT_EQ(errors.size(), fits ? 0U : 1U) << listing(loaded);
    if (fits) continue;
    EXPECT_EQ(errors[0].to_string(),
              "m.toml:6:7: error: inside.mtu: is 1279; IPv6 in the overlay (pki.cert has "
              "fd42::1/64) needs at least 1280 bytes");
  }
}

}  // namespace
}  // namespace magnetar::config
