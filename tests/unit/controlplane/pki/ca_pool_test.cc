// SPDX-License-Identifier: Apache-2.0
#include "controlplane/pki/ca_pool.h"

#include <map>
#include <set>

#include <gtest/gtest.h>

#include "controlplane/crypto/signature.h"
#include "controlplane/pki/codec_v1.h"
#include "controlplane/pki/pem.h"
#include "tests/support/mint.h"
#include "tests/support/vectors.h"

namespace magnetar::pki {
namespace {

using nlohmann::json;
using testing::add_network;
using testing::Change;
using testing::decoded;
using testing::from_hex;
using testing::SigningKey;

constexpr WallTime at(std::int64_t unix_seconds) {
  return WallTime{std::chrono::seconds{unix_seconds}};
}
constexpr WallTime kNow = at(1'750'000'000);

std::string name_of(const Result<void, VerifyError>& verdict) {
  return verdict ? "verifies" : std::string(label(verdict.error()));
}

Certificate certificate_of(const json& row) {
  return decoded(from_hex(row["protobuf"].get<std::string>()));
}

CaPool trusted_of(const json& file) {
  CaPool pool;
  for (const json& name : file["trusted"])
    EXPECT_TRUE(pool.add(certificate_of(file["cas"][name.get<std::string>()])));
  return pool;
}

// What Nebula's text means here. It has one text for a certificate out of its time.
std::string expected_of(const json& row) {
  if (!row.contains("nebula_1_6_1_error")) return "verifies";
  const auto error = row["nebula_1_6_1_error"].get<std::string>();
  const std::map<std::string, std::string> meaning{
      {"certificate has been blocked", "blocked"},
      {"could not find ca for the certificate", "unknown_issuer"},
      {"root certificate is expired", "ca_expired"},
      {"certificate is expired",
       row.contains("not_before") && at(row["not_before"].get<std::int64_t>()) > kNow
           ? "not_yet_valid"
           : "expired"},
      {"certificate signature did not match", "bad_signature"},
      {"certificate contained an ip assignment outside the limitations of the signing ca",
       "network_not_allowed"},
      {"certificate contained a subnet assignment outside the limitations of the signing ca",
       "unsafe_network_not_allowed"},
      {"certificate contained a group not present on the signing ca", "group_not_allowed"},
  };
  return meaning.at(error.substr(0, error.find(": ")));
}

TEST(CaPool, JudgesEveryVectorAsNebulaDoes) {
  const json file = testing::load_vectors("certificates-v1.json");
  const CaPool pool = trusted_of(file);
  ASSERT_EQ(file["hosts"].size(), 16U);
  for (const json& row : file["hosts"]) {
    SCOPED_TRACE(row["label"].get<std::string>());
    const auto verdict = pool.verify(certificate_of(row), kNow, {});
    EXPECT_EQ(name_of(verdict), expected_of(row));
    EXPECT_EQ(verdict.has_value(), row["verifies_at_1750000000"].get<bool>());
  }
}

TEST(CaPool, JudgesTheBlocklistVectorAsNebulaDoes) {
  const json file = testing::load_vectors("certificates-v1.json");
  const CaPool pool = trusted_of(file);
  const json& blocked = file["blocklist"];
  const auto fingerprint = Fingerprint::parse(blocked["fingerprint"].get<std::string>());
  ASSERT_TRUE(fingerprint);
  const Blocklist blocklist{*fingerprint};
  int hits = 0;
  for (const json& row : file["hosts"]) {
    SCOPED_TRACE(row["label"].get<std::string>());
    const bool is_it = row["label"] == blocked["label"];
    hits += is_it ? 1 : 0;
    EXPECT_EQ(name_of(pool.verify(certificate_of(row), kNow, blocklist)),
              expected_of(is_it ? blocked : row));
  }
  EXPECT_EQ(hits, 1);
}

TEST(CaPool, JudgesEveryVectorOfVersion2AsNebulaDoes) {
  const json file = testing::load_vectors("certificates-v2.json");
  const auto read = [](const json& row) {
    return certificates_from_pem(row["pem"].get<std::string>()).value().front();
  };
  CaPool pool;
  for (const json& name : file["trusted"])
    ASSERT_TRUE(pool.add(read(file["cas"][name.get<std::string>()]))) << name;
  const WallTime now = at(file["verified_at"].get<std::int64_t>());
  int verified = 0;
  ASSERT_EQ(file["hosts"].size(), 12U);
  for (const json& row : file["hosts"]) {
    SCOPED_TRACE(row["label"].get<std::string>());
    if (!row.contains("pem")) continue;  // refused when it was to be signed, see issue_test.cc
    const auto verdict = pool.verify(read(row), now, {});
    EXPECT_EQ(verdict.has_value(), row["verifies"].get<bool>()) << name_of(verdict);
    verified += verdict ? 1 : 0;
    const std::map<std::string, std::string> why{{"stranger", "unknown_issuer"},
                                                 {"short-lived", "expired"}};
    const auto found = why.find(row["label"].get<std::string>());
    EXPECT_EQ(name_of(verdict), found == why.end() ? "verifies" : found->second);
  }
  EXPECT_EQ(verified, 8);
}

// CVE-2026-25793: whoever holds a blocked P-256 certificate can turn its signature round, and has
// the same certificate under another fingerprint.
TEST(CaPool, ABlockedP256CertificateIsBlockedInBothForms) {
  const json file = testing::load_vectors("certificates-v2.json");
  const WallTime now = at(file["verified_at"].get<std::int64_t>());
  CaPool pool;
  for (const char* name : {"v1-p256", "v2-p256"})
    ASSERT_TRUE(pool.add(
        certificates_from_pem(file["cas"][name]["pem"].get<std::string>()).value().front()));
  int seen = 0;
  for (const json& row : file["hosts"]) {
    if (row["label"] != "p256-v1" && row["label"] != "p256-v2") continue;
    SCOPED_TRACE(row["label"].get<std::string>());
    ++seen;
    const Certificate low = certificates_from_pem(row["pem"].get<std::string>()).value().front();
    Certificate turned = low;
    turned.signature = crypto::other_form(low.signature).value();
    const Certificate high = certificates_from_pem(to_pem(turned)).value().front();
    ASSERT_NE(high.fingerprint, low.fingerprint);
    EXPECT_EQ(high.other_fingerprint, low.fingerprint);
    EXPECT_EQ(low.other_fingerprint, high.fingerprint);
    EXPECT_EQ(name_of(pool.verify(low, now, {})), "verifies");
    EXPECT_EQ(name_of(pool.verify(high, now, {})), "verifies") << "as Nebula";
    for (const Certificate* blocked : {&low, &high}) {
      const Blocklist blocklist{blocked->fingerprint};
      for (const Certificate* used : {&low, &high}) {
        EXPECT_EQ(name_of(pool.verify(*used, now, blocklist)), "blocked");
        EXPECT_EQ(name_of(pool.recheck(*used, now, blocklist)), "blocked") << "of a tunnel, too";
      }
    }
  }
  EXPECT_EQ(seen, 2);
}

// Version 2 certificates under a CA that limits both families.
TEST(CaPool, ChecksWhatTheCaMayGiveOutOfBothFamilies) {
  const auto file = testing::load_vectors("certificates-v2.json");
  const auto& row = file["cas"]["v2-restricted"];
  const Certificate ca = certificates_from_pem(row["pem"].get<std::string>()).value().front();
  const auto prefixes = [](std::initializer_list<const char*> texts) {
    std::vector<Prefix> out;
    for (const char* text : texts) out.push_back(Prefix::parse(text).value());
    return out;
  };
  const struct {
    const char* why;
    std::vector<Prefix> networks;
    std::vector<Prefix> unsafe;
    const char* verdict;
  } cases[] = {
      {"both families inside", prefixes({"10.42.1.1/16", "fd42::1/64"}), {}, "allowed"},
      {"IPv6 alone", prefixes({"fd42::1/64"}), {}, "allowed"},
      {"a longer IPv6 prefix", prefixes({"fd42::1/112"}), {}, "allowed"},
      {"a shorter IPv6 prefix", prefixes({"fd42::1/48"}), {}, "network_not_allowed"},
      {"another IPv6 network", prefixes({"10.42.1.1/16", "fd43::1/64"}), {}, "network_not_allowed"},
      {"unsafe networks inside", prefixes({"10.42.1.1/16"}),
       prefixes({"192.168.7.0/24", "2001:db8:1:5::/64"}), "allowed"},
      {"an IPv6 unsafe network outside", prefixes({"fd42::1/64"}), prefixes({"2001:db8:2::/48"}),
       "unsafe_network_not_allowed"},
      {"all of IPv6 as an unsafe network", prefixes({"fd42::1/64"}), prefixes({"::/0"}),
       "unsafe_network_not_allowed"},
      {"IPv6 loopback", prefixes({"::1/128"}), {}, "network_not_allowed"},
  };
  for (const auto& [why, networks, unsafe, verdict] : cases) {
    SCOPED_TRACE(why);
    CertificateFacts host;
    host.networks = networks;
    host.unsafe_networks = unsafe;
    host.not_before = ca.not_before;
    host.not_after = ca.not_after;
    const auto allowed = check_content(host, ca);
    EXPECT_EQ(allowed ? "allowed" : label(allowed.error()), verdict);
  }
}

TEST(CaPool, RefusesIpv6AddressesThatNoHostHas) {
  CertificateFacts ca;
  for (const char* text : {"::1/128", "ff02::1/64", "ff05::5/16", "::/64"}) {
    CertificateFacts host;
    host.networks = {Prefix::parse(text).value()};
    const auto allowed = check_content(host, ca);
    ASSERT_FALSE(allowed) << text;
    EXPECT_EQ(allowed.error(), VerifyError::kBadNetwork) << text;
  }
  for (const char* text : {"fe80::1/64", "fd00::ffff:ffff:ffff:ffff/64", "2001:db8::1/128"}) {
    CertificateFacts host;
    host.networks = {Prefix::parse(text).value()};
    EXPECT_TRUE(check_content(host, ca)) << text;
  }
}

TEST(CaPool, AdmitsEveryCaOfTheVectors) {
  const json file = testing::load_vectors("certificates-v1.json");
  CaPool pool;
  for (const auto& [name, row] : file["cas"].items()) {
    SCOPED_TRACE(name);
    const Certificate ca = certificate_of(row);
    EXPECT_EQ(pool.find(ca.fingerprint), nullptr);
    ASSERT_TRUE(pool.add(ca));
    ASSERT_TRUE(pool.add(ca)) << "twice is once";
    ASSERT_NE(pool.find(ca.fingerprint), nullptr);
    EXPECT_EQ(pool.find(ca.fingerprint)->name, row["name"]);
  }
  EXPECT_EQ(pool.cas().size(), 4U);
}

TEST(CaPool, RefusesWhatDoesNotVouchForItself) {
  const SigningKey key(0x11);
  const struct {
    const char* why;
    CaError error;
    Change change;
    SigningKey signer;
  } cases[] = {
      {"a host", CaError::kNotACa, [](auto& d) { d.set_is_ca(false); }, key},
      {"signed by another", CaError::kBadSelfSignature, [](auto&) {}, SigningKey(0x12)},
      {"a P256 key that is no point", CaError::kBadSelfSignature,
       [](auto& d) {
         d.set_curve(1);
         d.set_public_key(std::string(65, 'k'));
       },
       key},
  };
  for (const auto& [why, error, change, signer] : cases) {
    SCOPED_TRACE(why);
    auto details = testing::ca_details(key);
    change(details);
    CaPool pool;
    const auto added = pool.add(decoded(testing::seal(details, signer)));
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error(), error);
    EXPECT_FALSE(text(added.error()).empty());
    EXPECT_TRUE(pool.cas().empty());
  }
}

TEST(CaPool, RefusesACaWithAShortSignature) {
  const SigningKey key(0x11);
  Certificate ca = decoded(testing::seal(testing::ca_details(key), key));
  ca.signature.pop_back();
  CaPool pool;
  const auto added = pool.add(ca);
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error(), CaError::kBadSelfSignature);
}

struct VerifyCase {
  const char* why;
  const char* verdict;
  Change change_ca;
  Change change_host;
  WallTime now = kNow;
};

void judge(const VerifyCase& row) {
  SCOPED_TRACE(row.why);
  const SigningKey key(0x11);
  auto ca_details = testing::ca_details(key);
  if (row.change_ca) row.change_ca(ca_details);
  const Certificate ca = decoded(testing::seal(ca_details, key));
  CaPool pool;
  ASSERT_TRUE(pool.add(ca));
  auto details = testing::host_details(ca, "host", "10.42.0.9/16", Bytes(32, std::byte{7}));
  if (row.change_host) row.change_host(details);
  const Certificate host = decoded(testing::seal(details, key));
  EXPECT_EQ(name_of(pool.verify(host, row.now, {})), row.verdict);
}

TEST(CaPool, ChecksIssuerCurveAndTimes) {
  const VerifyCase cases[] = {
      {"a good one", "verifies", {}, {}},
      {"no issuer", "no_issuer", {}, [](auto& d) { d.clear_issuer(); }},
      {"an unknown issuer",
       "unknown_issuer",
       {},
       [](auto& d) { d.set_issuer(std::string(32, 'i')); }},
      {"curve P256 under a CA of 25519",
       "curve_mismatch",
       {},
       [](auto& d) {
         d.set_curve(1);
         d.set_public_key(std::string(65, 'k'));
       }},
      {"at the first moment", "verifies", {}, {}, at(1'700'000'000)},
      {"just before the first moment",
       "not_yet_valid",
       [](auto& d) { d.set_not_before(1'600'000'000); },
       {},
       at(1'700'000'000) - Duration{1}},
      {"at the last moment", "verifies", {}, {}, at(1'800'000'000)},
      {"just after the last moment", "expired", {}, {}, at(1'800'000'000) + Duration{1}},
      {"at the CA's last moment",
       "verifies",
       {},
       [](auto& d) { d.set_not_after(1'900'000'000); },
       at(1'900'000'000)},
      {"just after the CA's last moment", "ca_expired", {}, {}, at(1'900'000'000) + Duration{1}},
      {"just before the CA's first moment",
       "ca_not_yet_valid",
       {},
       {},
       at(1'700'000'000) - Duration{1}},
      {"outlives its CA", "outlives_ca", {}, [](auto& d) { d.set_not_after(1'900'000'001); }},
      {"older than its CA", "older_than_ca", {}, [](auto& d) { d.set_not_before(1'699'999'999); }},
  };
  for (const VerifyCase& row : cases) judge(row);
}

TEST(CaPool, ChecksWhatTheCaMayGiveOut) {
  const Change only_servers = [](auto& d) {
    d.add_groups("servers");
    d.add_groups("db");
  };
  const Change only_10_42 = [](auto& d) {
    add_network(d.mutable_networks(), "10.40.0.0/16");
    add_network(d.mutable_networks(), "10.42.0.0/16");
  };
  const Change only_unsafe = [](auto& d) {
    add_network(d.mutable_unsafe_networks(), "192.168.0.0/16");
  };
  const VerifyCase cases[] = {
      {"a group of the list", "verifies", only_servers, [](auto& d) { d.add_groups("db"); }},
      {"no group at all", "verifies", only_servers, {}},
      {"one group of two", "group_not_allowed", only_servers,
       [](auto& d) {
         d.add_groups("db");
         d.add_groups("admins");
       }},
      {"a prefix of a group's name", "group_not_allowed", only_servers,
       [](auto& d) { d.add_groups("serv"); }},
      {"any group under a CA without a list",
       "verifies",
       {},
       [](auto& d) { d.add_groups("admins"); }},
      {"inside the second network", "verifies", only_10_42, {}},
      {"a wider mask", "network_not_allowed", only_10_42,
       [](auto& d) { d.set_networks(1, 0xff000000); }},
      {"another network", "network_not_allowed", only_10_42,
       [](auto& d) { d.set_networks(0, 0x0a2b0001); }},
      {"the second of its networks outside", "network_not_allowed", only_10_42,
       [](auto& d) { add_network(d.mutable_networks(), "10.41.0.1/16"); }},
      {"an unsafe network inside", "verifies", only_unsafe,
       [](auto& d) { add_network(d.mutable_unsafe_networks(), "192.168.4.0/24"); }},
      {"an unsafe network outside", "unsafe_network_not_allowed", only_unsafe,
       [](auto& d) { add_network(d.mutable_unsafe_networks(), "172.16.0.0/16"); }},
      {"everything as an unsafe network", "unsafe_network_not_allowed", only_unsafe,
       [](auto& d) { add_network(d.mutable_unsafe_networks(), "0.0.0.0/0"); }},
  };
  for (const VerifyCase& row : cases) judge(row);
}

// The last table of wire.md: Nebula takes these.
TEST(CaPool, RefusesWhatIsNoHost) {
  const auto networks = [](std::initializer_list<const char*> texts) -> Change {
    return [list = std::vector<std::string>(texts.begin(), texts.end())](auto& d) {
      d.clear_networks();
      for (const auto& text : list) add_network(d.mutable_networks(), text);
    };
  };
  const VerifyCase cases[] = {
      {"the CA flag", "is_ca", {}, [](auto& d) { d.set_is_ca(true); }},
      {"no network", "no_network", {}, networks({})},
      {"loopback", "bad_network", {}, networks({"127.0.0.1/8"})},
      {"multicast", "bad_network", {}, networks({"224.0.0.5/24"})},
      {"everybody", "bad_network", {}, networks({"255.255.255.255/32"})},
      {"the last address of its network", "bad_network", {}, networks({"10.42.255.255/16"})},
      {"the last address of four", "bad_network", {}, networks({"10.42.0.3/30"})},
      {"the last of two addresses is a host", "verifies", {}, networks({"10.42.0.3/31"})},
      {"one address", "verifies", {}, networks({"10.42.0.255/32"})},
      {"ends in 255, inside its network", "verifies", {}, networks({"10.42.0.255/16"})},
      {"two good networks", "verifies", {}, networks({"10.42.0.1/16", "10.43.0.1/16"})},
      {"the second network is loopback",
       "bad_network",
       {},
       networks({"10.42.0.1/16", "127.0.0.1/8"})},
  };
  for (const VerifyCase& row : cases) judge(row);
}

TEST(CaPool, RefusesTheSignatureOfAnotherKey) {
  const SigningKey key(0x11);
  const Certificate ca = decoded(testing::seal(testing::ca_details(key), key));
  CaPool pool;
  ASSERT_TRUE(pool.add(ca));
  const auto details = testing::host_details(ca, "host", "10.42.0.9/16", Bytes(32, std::byte{7}));
  const Certificate forged = decoded(testing::seal(details, SigningKey(0x12)));
  EXPECT_EQ(name_of(pool.verify(forged, kNow, {})), "bad_signature");
  Certificate cut = decoded(testing::seal(details, key));
  EXPECT_EQ(name_of(pool.verify(cut, kNow, {})), "verifies");
  cut.signature.pop_back();
  EXPECT_EQ(name_of(pool.verify(cut, kNow, {})), "bad_signature");
}

TEST(VerifyError, HasALabelAndATextOfItsOwn) {
  std::set<std::string_view> labels;
  std::set<std::string_view> texts;
  constexpr auto kLast = static_cast<std::uint8_t>(VerifyError::kBadNetwork);
  for (std::uint8_t i = 0; i <= kLast; ++i) {
    labels.insert(label(VerifyError{i}));
    texts.insert(text(VerifyError{i}));
  }
  EXPECT_EQ(labels.size(), kLast + 1U);
  EXPECT_EQ(texts.size(), kLast + 1U);
  EXPECT_FALSE(labels.contains(""));
  EXPECT_EQ(label(VerifyError::kUnknownIssuer), "unknown_issuer");
  EXPECT_EQ(text(VerifyError::kUnknownIssuer), "issued by a CA that is not trusted");
}

}  // namespace
}  // namespace magnetar::pki
