// SPDX-License-Identifier: Apache-2.0
#include "controlplane/pki/codec_v2.h"

#include <gtest/gtest.h>

#include "controlplane/pki/ca_pool.h"
#include "controlplane/pki/der.h"
#include "controlplane/pki/pem.h"
#include "tests/support/vectors.h"

namespace magnetar::pki {
namespace {

using nlohmann::json;
using testing::from_hex;
using testing::to_hex;

// The worked example of wire.md section 9.
const std::string kDetails =
    "a061"
    "8006686f73742d61"
    "a11a04050a800001180411fd00000000000000000000000000000140"
    "a2070405c0a8060018"
    "a3040c026731"
    "85046553f100"
    "86046b49d200"
    "8720c958f81989ec52173a10f9e98a61eeb61fb7ad2ec7736ab03f34efe44adacfde";
const std::string kKey = "8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f";
const std::string kSignature =
    "d94eb71e8648e7af3baf8e93ee6621e5050189c3b7aaa5438947b98e798a15032a300d141a2c95597ecf2be4171287"
    "6"
    "b28ea52bcc796fccbc0b681ffb8460901";
const std::string kHost = "3081c7" + kDetails + "8220" + kKey + "8340" + kSignature;
const std::string kHostInHandshake = "3081a5" + kDetails + "8340" + kSignature;
const std::string kCa =
    "307fa0198008746573742d6361328401ff85046553f1008604713fb3008220d04ab232742bb4ab3a1368bd4615e4e6"
    "d0224ab71a016baf8520a332c977873783406346073cf56e3909720a308877d43656115019ab2f73680ead6cc56ad0"
    "20610fa0292d57bb2737971637205f3f10cf04503f0e18150c2c24a708f474bef70f09";

PublicKey static_key(std::string_view hex) {
  return PublicKey::from(Curve::k25519, from_hex(hex)).value();
}

std::string texts(const std::vector<Prefix>& prefixes) {
  std::string out;
  for (const Prefix& prefix : prefixes) out += (out.empty() ? "" : " ") + prefix.to_string();
  return out;
}

// The one certificate of a row.
Certificate certificate_of(const json& row) {
  return certificates_from_pem(row["pem"].get<std::string>()).value().front();
}

TEST(CodecV2, ReadsTheWorkedExample) {
  const auto ca = decode_v2(from_hex(kCa));
  ASSERT_TRUE(ca) << ca.error().what;
  EXPECT_TRUE(ca->is_ca);
  EXPECT_EQ(ca->name, "test-ca2");
  EXPECT_EQ(ca->fingerprint.to_string(),
            "c958f81989ec52173a10f9e98a61eeb61fb7ad2ec7736ab03f34efe44adacfde");

  const auto host = decode_v2(from_hex(kHost));
  ASSERT_TRUE(host) << host.error().what;
  EXPECT_EQ(host->version, 2);
  EXPECT_EQ(host->name, "host-a");
  EXPECT_EQ(texts(host->networks), "10.128.0.1/24 fd00::1/64");
  EXPECT_EQ(texts(host->unsafe_networks), "192.168.6.0/24");
  EXPECT_EQ(host->groups, std::vector<std::string>{"g1"});
  EXPECT_EQ(host->fingerprint.to_string(),
            "4a77c5b69e326b79431d68b5b73fd6090bbd0afe6a15e8375e66886d37241e51");
  EXPECT_EQ(host->other_fingerprint, std::nullopt);
  EXPECT_EQ(to_hex(host->signed_bytes), kDetails + "00" + kKey);
  EXPECT_EQ(to_hex(encode_v2(*host)), kHost);
  EXPECT_EQ(to_hex(encode_v2_for_handshake(*host)), kHostInHandshake);
  EXPECT_EQ(to_be_signed_v2(*host, host->public_key), host->signed_bytes);

  CaPool pool;
  ASSERT_TRUE(pool.add(*ca));
  EXPECT_TRUE(pool.verify(*host, WallTime{std::chrono::seconds{1'750'000'000}}, {}));
}

TEST(CodecV2, TheHandshakeFormTakesTheKeyOfTheNoiseMessage) {
  const auto host = decode_v2_from_handshake(from_hex(kHostInHandshake), static_key(kKey));
  ASSERT_TRUE(host) << host.error().what;
  EXPECT_EQ(to_hex(encode_v2(*host)), kHost);

  const auto inside = decode_v2_from_handshake(from_hex(kHost), static_key(kKey));
  ASSERT_FALSE(inside);
  EXPECT_EQ(inside.error().what, "a public key inside a handshake's certificate");

  const auto whole = decode_v2(from_hex(kHostInHandshake));
  ASSERT_FALSE(whole);
  EXPECT_EQ(whole.error().what, "without a public key");
}

// Wire.md 3.4: the curve is that of our own certificate, whose key agreement gave the static key.
TEST(CodecV2, TheHandshakeFormHasTheCurveOfTheHandshake) {
  const auto implied =
      decode_v2_from_handshake(from_hex(kHostInHandshake), PublicKey(Curve::kP256));
  ASSERT_TRUE(implied) << implied.error().what;
  EXPECT_EQ(implied->curve, Curve::kP256);
  const std::string written = "3081a8" + kDetails + "810101" + "8340" + kSignature;
  const auto other = decode_v2_from_handshake(from_hex(written), static_key(kKey));
  ASSERT_TRUE(other) << other.error().what;
  EXPECT_EQ(other->curve, Curve::kP256) << "and the caller refuses it";
}

// One name was changed in the printed text after the certificate had been signed.
std::string name_in_the_certificate(const std::string& printed) {
  return printed == "v1-from-v2-ca.example" ? "v1-from-v2-ca-refused.example" : printed;
}

TEST(CodecV2, SaysOfEveryVectorWhatNebulaPrints) {
  const json file = testing::load_vectors("certificates-v2.json");
  std::vector<json> rows(file["cas"].begin(), file["cas"].end());
  for (const json& host : file["hosts"])
    if (host.contains("pem")) rows.push_back(host);
  int v2 = 0;
  for (const json& row : rows) {
    const json& print = row["print"][0];
    const json& details = print["details"];
    SCOPED_TRACE(details["name"].get<std::string>());
    const Certificate c = certificate_of(row);
    v2 += c.version == 2 ? 1 : 0;
    const auto list = [](const json& names) {
      return names.is_null() ? std::vector<std::string>{} : names.get<std::vector<std::string>>();
    };
    const auto prefixes = [](const std::vector<Prefix>& from) {
      std::vector<std::string> out;
      for (const Prefix& p : from) out.push_back(p.to_string());
      return out;
    };
    EXPECT_EQ(c.version, print["version"].get<int>());
    EXPECT_EQ(c.name, name_in_the_certificate(details["name"]));
    EXPECT_EQ(c.is_ca, details["isCa"].get<bool>());
    EXPECT_EQ(c.issuer ? c.issuer->to_string() : "", details["issuer"]);
    EXPECT_EQ(prefixes(c.networks), list(details["networks"]));
    EXPECT_EQ(prefixes(c.unsafe_networks), list(details["unsafeNetworks"]));
    EXPECT_EQ(c.groups, list(details["groups"]));
    EXPECT_EQ(c.fingerprint.to_string(), print["fingerprint"]);
    EXPECT_EQ(to_hex(c.signature), print["signature"]);
    // Version 1 prints curve and key inside the details.
    EXPECT_EQ(curve_name(c.curve), (c.version == 2 ? print : details)["curve"]);
    EXPECT_EQ(to_hex(c.public_key), (c.version == 2 ? print : details)["publicKey"]);
    EXPECT_EQ(c.other_fingerprint.has_value(), c.curve == Curve::kP256);
    EXPECT_EQ(to_be_signed_v2(c, c.public_key) == c.signed_bytes, c.version == 2);
  }
  EXPECT_EQ(v2, 12);
}

// Details of elements, with the length they need; an element that is empty is left out.
struct Parts {
  std::string name = "800161";
  std::string networks = "a10704050a80000118";
  std::string unsafe;
  std::string groups;
  std::string is_ca;
  std::string not_before = "850101";
  std::string not_after = "860102";
  std::string issuer;
  std::string rest;
  std::string key = "8220" + kKey;
  std::string curve;
  std::string signature = "8301aa";
  std::string outer_rest;
  std::string trailing;
};

Bytes assembled(const Parts& parts) {
  Bytes content;
  append_der(content, 0xa0,
             from_hex(parts.name + parts.networks + parts.unsafe + parts.groups + parts.is_ca +
                      parts.not_before + parts.not_after + parts.issuer + parts.rest));
  append(content, from_hex(parts.curve + parts.key + parts.signature + parts.outer_rest));
  Bytes out;
  append_der(out, 0x30, content);
  append(out, from_hex(parts.trailing));
  return out;
}

const std::string kV6Net = "0411fd00000000000000000000000000000140";
const std::string kMapped = "041100000000000000000000ffff0a80000178";

TEST(CodecV2, TakesWhatNebulaTakes) {
  const std::string p256_key = "8241" + std::string(130, '4');
  const struct {
    const char* why;
    Parts parts;
  } cases[] = {
      {"the least", {}},
      {"a name of 253 bytes", {.name = "8081fd" + std::string(506, '6')}},
      {"a network of both families", {.networks = "a11a04050a80000118" + kV6Net}},
      {"one address under two lengths", {.networks = "a10e04050a8000011804050a80000110"}},
      {"everything is behind it", {.unsafe = "a20704050000000000"}},
      {"a list of no networks behind it", {.unsafe = "a200"}},
      {"a list of no groups", {.groups = "a300"}},
      {"a group twice", {.groups = "a3060c01610c0161"}},
      {"the CA flag as 1", {.is_ca = "840101"}},
      {"the CA flag as 0", {.is_ca = "840100"}},
      {"a CA without networks", {.networks = "", .is_ca = "8401ff"}},
      {"a CA with an IPv6 network behind IPv4", {.unsafe = "a213" + kV6Net, .is_ca = "8401ff"}},
      {"a time before 1970", {.not_before = "8501ff"}},
      {"times of eight bytes", {.not_after = "86087fffffffffffffff"}},
      {"elements of the future in the details", {.rest = "880161"}},
      {"elements of the future at the end", {.outer_rest = "8401618500"}},
      {"P-256", {.key = p256_key, .curve = "810101"}},
  };
  for (const auto& [why, parts] : cases) {
    SCOPED_TRACE(why);
    const Bytes bytes = assembled(parts);
    const auto certificate = decode_v2(bytes);
    ASSERT_TRUE(certificate) << certificate.error().what;
    EXPECT_EQ(encode_v2(*certificate) == bytes, parts.outer_rest.empty());
  }
}

TEST(CodecV2, RefusesWhatNebulaRefuses) {
  const struct {
    const char* why;
    Parts parts;
    const char* what;
  } cases[] = {
      {"no name", {.name = ""}, "without a name"},
      {"an empty name", {.name = "8000"}, "a name not of 1 to 253 bytes"},
      {"a name of 254 bytes",
       {.name = "8081fe" + std::string(508, '6')},
       "a name not of 1 to 253 bytes"},
      {"a name that is not UTF-8", {.name = "8001ff"}, "the name is not UTF-8"},
      {"networks before the name",
       {.name = "a10704050a80000118800161", .networks = ""},
       "without a name"},
      {"an empty network",
       {.networks = "a1020400"},
       "networks: neither an IPv4 nor an IPv6 network"},
      {"a network of 16 bytes",
       {.networks = "a1120410fd000000000000000000000000000001"},
       "networks: neither an IPv4 nor an IPv6 network"},
      {"a network of another tag", {.networks = "a10705050a80000118"}, "networks: not DER"},
      {"networks cut short", {.networks = "a10604050a800001"}, "networks: not DER"},
      {"/33", {.networks = "a10704050a80000121"}, "networks: a prefix longer than its address"},
      {"/129",
       {.networks = "a1130411fd000000000000000000000000000001"
                    "81"},
       "networks: a prefix longer than its address"},
      {"IPv4 inside IPv6",
       {.networks = "a113" + kMapped},
       "networks: an IPv4 address inside an IPv6 one"},
      {"IPv4 inside IPv6, behind it",
       {.unsafe = "a213" + kMapped},
       "unsafe networks: an IPv4 address inside an IPv6 one"},
      {"0.0.0.0", {.networks = "a10704050000000018"}, "networks: the address that is none"},
      {"::",
       {.networks = "a11304110000000000000000000000000000000040"},
       "networks: the address that is none"},
      {"0.0.0.0 for a CA, too",
       {.networks = "a10704050000000000", .is_ca = "8401ff"},
       "networks: the address that is none"},
      {"a network twice",
       {.networks = "a10e04050a8000011804050a80000118"},
       "networks: one is there twice"},
      {"an unsafe network twice",
       {.unsafe = "a20e0405c0a80000100405c0a8000010"},
       "unsafe networks: one is there twice"},
      {"a host without a network", {.networks = ""}, "a host without a network"},
      {"a host with a list of no networks", {.networks = "a100"}, "a host without a network"},
      {"IPv6 behind a host of IPv4",
       {.unsafe = "a213" + kV6Net},
       "an unsafe network of a family of which the host has no address"},
      {"IPv4 behind a host of IPv6",
       {.networks = "a113" + kV6Net, .unsafe = "a2070405c0a8000010"},
       "an unsafe network of a family of which the host has no address"},
      {"a group without a name", {.groups = "a3020c00"}, "a group without a name"},
      {"a group that is not UTF-8", {.groups = "a3030c01ff"}, "a group is not UTF-8"},
      {"a group of another tag", {.groups = "a303130161"}, "groups: not DER"},
      {"groups before unsafe networks",
       {.unsafe = "a3030c0161", .groups = "a2070405c0a8000010"},
       "without a time it is valid from or until"},
      {"a CA flag of two bytes", {.is_ca = "8402ffff"}, "the CA flag is not one byte"},
      {"a CA flag of none", {.is_ca = "8400"}, "the CA flag is not one byte"},
      {"no time it is valid from", {.not_before = ""}, "without a time it is valid from or until"},
      {"no time it is valid until", {.not_after = ""}, "without a time it is valid from or until"},
      {"a time with a zero too many",
       {.not_after = "86020001"},
       "without a time it is valid from or until"},
      {"a time of nine bytes",
       {.not_after = "8609010000000000000000"},
       "without a time it is valid from or until"},
      {"an empty time", {.not_after = "8600"}, "without a time it is valid from or until"},
      {"an issuer of 31 bytes",
       {.issuer = "871f" + std::string(62, '1')},
       "the issuer is not a SHA-256 fingerprint"},
      {"no issuer's bytes", {.issuer = "8700"}, "the issuer is not a SHA-256 fingerprint"},
      {"an unknown element in the middle",
       {.is_ca = "880161"},
       "without a time it is valid from or until"},
      {"half an element behind the issuer", {.rest = "8805aa"}, "ends in what is not DER"},
      {"curve 0 written out", {.curve = "810100"}, "an unknown curve"},
      {"curve 2", {.curve = "810102"}, "an unknown curve"},
      {"a curve of two bytes", {.curve = "81020001"}, "an unknown curve"},
      {"no public key", {.key = ""}, "without a public key"},
      {"an empty public key", {.key = "8200"}, "a public key of the wrong length"},
      {"a public key of 65 bytes",
       {.key = "8241" + std::string(130, '4')},
       "a public key of the wrong length"},
      {"P-256 with a key of 32 bytes", {.curve = "810101"}, "a public key of the wrong length"},
      {"no signature", {.signature = ""}, "without a signature"},
      {"an empty signature", {.signature = "8300"}, "without a signature"},
      {"the signature before the key",
       {.key = "8301aa", .signature = "8220" + kKey},
       "without a public key"},
      {"a tag of more bytes", {.rest = "bf010100"}, "ends in what is not DER"},
      {"half an element at the end", {.outer_rest = "8405aa"}, "ends in what is not DER"},
      {"a byte behind it", {.trailing = "00"}, "more than one DER sequence"},
      {"another certificate behind it", {.trailing = kHost}, "more than one DER sequence"},
  };
  for (const auto& [why, parts, what] : cases) {
    SCOPED_TRACE(why);
    const auto certificate = decode_v2(assembled(parts));
    ASSERT_FALSE(certificate);
    EXPECT_EQ(certificate.error().what, what);
  }
}

TEST(CodecV2, RefusesWhatIsNoCertificateAtAll) {
  const struct {
    const char* why;
    std::string hex;
    const char* what;
  } cases[] = {
      {"nothing", "", "not a DER sequence"},
      {"an empty sequence", "3000", "without details"},
      {"a set", "3100", "not a DER sequence"},
      {"a version 1 certificate", "0a030a01611201aa", "not a DER sequence"},
      {"a length in three bytes", "3083000001aa", "not a DER sequence"},
      {"no details", "3003830161", "without details"},
      {"empty details",
       "3027a000"
       "8220" +
           kKey + "8301aa",
       "without a name"},
  };
  for (const auto& [why, hex, what] : cases) {
    SCOPED_TRACE(why);
    const auto certificate = decode_v2(from_hex(hex));
    ASSERT_FALSE(certificate);
    EXPECT_EQ(certificate.error().what, what);
  }
  EXPECT_FALSE(decode_v2(Bytes(kMaxCertificateSize + 1, std::byte{0x30})));
}

// "First network" means the first after sorting (wire.md section 5).
TEST(CodecV2, SortsNetworksButVerifiesWhatWasWritten) {
  const Bytes bytes = assembled({.networks = "a12804050a800001"
                                             "18" +
                                             kV6Net +
                                             "0405"
                                             "09000001"
                                             "10"
                                             "0405"
                                             "0a800001"
                                             "08",
                                 .unsafe = "a20e0405c0a80100"
                                           "18"
                                           "0405c0a80000"
                                           "18"});
  const auto certificate = decode_v2(bytes);
  ASSERT_TRUE(certificate) << certificate.error().what;
  EXPECT_EQ(texts(certificate->networks), "9.0.0.1/16 10.128.0.1/8 10.128.0.1/24 fd00::1/64");
  EXPECT_EQ(texts(certificate->unsafe_networks), "192.168.0.0/24 192.168.1.0/24");
  EXPECT_EQ(encode_v2(*certificate), bytes);
  const auto addrs = certificate->overlay_addrs();
  ASSERT_EQ(addrs.size(), 3U) << "an address under two lengths is one";
  EXPECT_EQ(addrs[0].to_string(), "9.0.0.1");
  EXPECT_EQ(addrs[2].to_string(), "fd00::1");
}

}  // namespace
}  // namespace magnetar::pki
