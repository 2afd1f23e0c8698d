// SPDX-License-Identifier: Apache-2.0
#include "controlplane/pki/codec_v1.h"

#include <gtest/gtest.h>

#include "controlplane/pki/ca_pool.h"
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
using testing::to_bytes;
using testing::to_hex;

WallTime at(std::int64_t unix_seconds) { return WallTime{std::chrono::seconds{unix_seconds}}; }

std::vector<json> every_row() {
  const json file = testing::load_vectors("certificates-v1.json");
  std::vector<json> rows;
  for (const auto& [name, ca] : file["cas"].items()) rows.push_back(ca);
  for (const json& host : file["hosts"]) rows.push_back(host);
  return rows;
}

std::vector<std::string> texts(const std::vector<Prefix>& prefixes) {
  std::vector<std::string> out;
  for (const Prefix& prefix : prefixes) out.push_back(prefix.to_string());
  return out;
}

// A JSON list in which Go wrote null for an empty one.
std::vector<std::string> list(const json& value) {
  return value.is_null() ? std::vector<std::string>{} : value.get<std::vector<std::string>>();
}

void expect_fields(const Certificate& certificate, const json& row) {
  EXPECT_EQ(certificate.version, 1);
  EXPECT_EQ(certificate.curve, Curve::k25519);
  EXPECT_EQ(certificate.name, row["name"]);
  EXPECT_EQ(certificate.is_ca, row["is_ca"]);
  EXPECT_EQ(texts(certificate.networks), list(row["ips"]));
  EXPECT_EQ(texts(certificate.unsafe_networks), list(row["subnets"]));
  EXPECT_EQ(certificate.groups, list(row["groups"]));
  EXPECT_EQ(certificate.not_before, at(row["not_before"].get<std::int64_t>()));
  EXPECT_EQ(certificate.not_after, at(row["not_after"].get<std::int64_t>()));
  EXPECT_EQ(to_hex(certificate.public_key), row["public_key"]);
  EXPECT_EQ(to_hex(certificate.signature), row["signature"]);
  EXPECT_EQ(certificate.issuer ? certificate.issuer->to_string() : "", row["issuer"]);
  EXPECT_EQ(certificate.fingerprint.to_string(), row["fingerprint"]);
}

TEST(CodecV1, DecodesAndEncodesEveryVector) {
  const auto rows = every_row();
  ASSERT_EQ(rows.size(), 20U);
  for (const json& row : rows) {
    SCOPED_TRACE(row["name"].get<std::string>());
    const auto certificate = decode_v1(from_hex(row["protobuf"].get<std::string>()));
    ASSERT_TRUE(certificate) << certificate.error().what;
    expect_fields(*certificate, row);
    EXPECT_EQ(to_hex(encode_v1(*certificate)), row["protobuf"]);
  }
}

TEST(CodecV1, TravelsThroughAHandshakeWithoutItsKey) {
  for (const json& row : every_row()) {
    SCOPED_TRACE(row["name"].get<std::string>());
    const Certificate whole = decoded(from_hex(row["protobuf"].get<std::string>()));
    const Bytes bare = encode_v1_for_handshake(whole);
    EXPECT_LT(bare.size() + 33, encode_v1(whole).size());
    EXPECT_EQ(to_hex(bare).find(to_hex(whole.public_key)), std::string::npos);
    const auto again = decode_v1_from_handshake(bare, std::span(whole.public_key).first<32>());
    ASSERT_TRUE(again) << again.error().what;
    expect_fields(*again, row);
    EXPECT_EQ(to_hex(encode_v1(*again)), row["protobuf"]);
  }
}

TEST(CodecV1, AHandshakeCertificateTakesTheKeyOfTheNoiseMessage) {
  const Certificate whole = decoded(from_hex(every_row().back()["protobuf"].get<std::string>()));
  std::array<std::byte, 32> other{};
  const auto certificate = decode_v1_from_handshake(encode_v1_for_handshake(whole), other);
  ASSERT_TRUE(certificate);
  EXPECT_EQ(certificate->public_key, to_vector(other));
  EXPECT_NE(certificate->fingerprint, whole.fingerprint);
}

TEST(CodecV1, RefusesAHandshakeCertificateWithAKeyInside) {
  const Bytes whole = from_hex(every_row().back()["protobuf"].get<std::string>());
  const Bytes key = decoded(whole).public_key;
  const auto certificate = decode_v1_from_handshake(whole, std::span(key).first<32>());
  ASSERT_FALSE(certificate);
  EXPECT_EQ(certificate.error().what, "a public key inside a handshake's certificate");
}

proto::CertificateDetails good_details() {
  const SigningKey key(0x11);
  const Certificate ca = decoded(testing::seal(testing::ca_details(key), key));
  return testing::host_details(ca, "host-a", "10.128.0.1/24", Bytes(32, std::byte{7}));
}

TEST(CodecV1, RefusesDetailsThatBreakARule) {
  const struct {
    const char* what;
    Change change;
  } cases[] = {
      {"networks: an address without its mask", [](auto& d) { d.add_networks(0x0a000001); }},
      {"networks: an address without its mask", [](auto& d) { d.mutable_networks()->Truncate(1); }},
      {"unsafe networks: an address without its mask",
       [](auto& d) { d.add_unsafe_networks(0x0a000000); }},
      {"networks: a mask with gaps", [](auto& d) { d.set_networks(1, 0xff00ff00); }},
      {"networks: a mask with gaps", [](auto& d) { d.set_networks(1, 0x00ffffff); }},
      {"networks: a mask with gaps", [](auto& d) { d.set_networks(1, 1); }},
      {"unsafe networks: a mask with gaps",
       [](auto& d) {
         d.add_unsafe_networks(0x0a000000);
         d.add_unsafe_networks(0xfffffffd);
       }},
      {"networks: the address 0.0.0.0", [](auto& d) { d.set_networks(0, 0); }},
      {"networks: the address 0.0.0.0",
       [](auto& d) { add_network(d.mutable_networks(), "0.0.0.0/0"); }},
      {"the name is not UTF-8", [](auto& d) { d.set_name("h\xffst"); }},
      {"a group is not UTF-8", [](auto& d) { d.add_groups("\xc3"); }},
      {"a public key of the wrong length", [](auto& d) { d.clear_public_key(); }},
      {"a public key of the wrong length", [](auto& d) { d.set_public_key(std::string(31, 'k')); }},
      {"a public key of the wrong length", [](auto& d) { d.set_public_key(std::string(65, 'k')); }},
      {"a public key of the wrong length", [](auto& d) { d.set_curve(1); }},
      {"an unknown curve", [](auto& d) { d.set_curve(2); }},
      {"an unknown curve", [](auto& d) { d.set_curve(-1); }},
      {"the issuer is not a SHA-256 fingerprint",
       [](auto& d) { d.set_issuer(std::string(31, 'i')); }},
      {"the issuer is not a SHA-256 fingerprint",
       [](auto& d) { d.set_issuer(std::string(33, 'i')); }},
      {"larger than 65536 bytes", [](auto& d) { d.set_name(std::string(65536, 'n')); }},
  };
  for (const auto& [what, change] : cases) {
    proto::CertificateDetails details = good_details();
    change(details);
    SCOPED_TRACE(to_hex(to_bytes(details)).substr(0, 200));
    const auto certificate = decode_v1(testing::seal(details, SigningKey(0x11)));
    ASSERT_FALSE(certificate) << what;
    EXPECT_EQ(certificate.error().what, what);
  }
}

TEST(CodecV1, RefusesBytesThatAreNoCertificate) {
  const struct {
    const char* why;
    const char* hex;
    const char* what;
  } cases[] = {
      {"nothing", "", "without details"},
      {"a signature alone", "1202aabb", "without details"},
      {"details that are a number", "0801", "without details"},
      {"a length past the end", "0a05aabb", "not a protobuf message"},
      {"an endless varint", "0affffffffffffffffffff", "not a protobuf message"},
      {"field number 0", "0000", "not a protobuf message"},
      {"a group that does not end", "0b", "not a protobuf message"},
      {"packed words cut inside one", "0a0312018012", "not a protobuf message"},
      {"text", "2d2d2d2d2d424547494e", "not a protobuf message"},
      {"empty details", "0a00", "a public key of the wrong length"},
  };
  for (const auto& [why, hex, what] : cases) {
    SCOPED_TRACE(why);
    const auto certificate = decode_v1(from_hex(hex));
    ASSERT_FALSE(certificate);
    EXPECT_EQ(certificate.error().what, what);
  }
}

TEST(CodecV1, AcceptsWhatNebulaAccepts) {
  const struct {
    const char* why;
    Change change;
  } cases[] = {
      {"an empty name", [](auto& d) { d.clear_name(); }},
      {"a name of 8 KB", [](auto& d) { d.set_name(std::string(8192, 'n')); }},
      {"no network, which verify refuses", [](auto& d) { d.clear_networks(); }},
      {"no issuer, which verify refuses", [](auto& d) { d.clear_issuer(); }},
      {"everything is behind it",
       [](auto& d) { add_network(d.mutable_unsafe_networks(), "0.0.0.0/0"); }},
      {"a P256 key, which verify refuses",
       [](auto& d) {
         d.set_curve(1);
         d.set_public_key(std::string(65, 'k'));
       }},
      {"an empty group", [](auto& d) { d.add_groups(""); }},
      {"valid until after the year 2262", [](auto& d) { d.set_not_after(99'999'999'999); }},
      {"valid since before the year 1677", [](auto& d) { d.set_not_before(-99'999'999'999); }},
  };
  for (const auto& [why, change] : cases) {
    SCOPED_TRACE(why);
    proto::CertificateDetails details = good_details();
    change(details);
    const Bytes bytes = testing::seal(details, SigningKey(0x11));
    const auto certificate = decode_v1(bytes);
    ASSERT_TRUE(certificate) << certificate.error().what;
    EXPECT_EQ(encode_v1(*certificate), bytes);
    EXPECT_EQ(certificate->signed_bytes, to_bytes(details));
  }
}

TEST(CodecV1, TimesBeyondOursAreTheLastWeKnow) {
  proto::CertificateDetails details = good_details();
  details.set_not_before(std::numeric_limits<std::int64_t>::min());
  details.set_not_after(std::numeric_limits<std::int64_t>::max());
  const Certificate certificate = decoded(testing::seal(details, SigningKey(0x11)));
  EXPECT_LT(certificate.not_before, at(-9'000'000'000));
  EXPECT_GT(certificate.not_after, at(9'000'000'000));
}

TEST(CodecV1, ReadsEveryWayToWriteTheSameCertificate) {
  // Name "a", networks 10.0.0.1/24, key 32 x 07, signature aa.
  const std::string key = "3a20" + to_hex(Bytes(32, std::byte{7}));
  const std::string packed =
      "1209"
      "81808050"
      "80feffff0f";
  const std::string canonical =
      "0a30"
      "0a0161" +
      packed + key + "1201aa";
  const auto within = [](const std::string& details) {
    std::string size = to_hex(Bytes{static_cast<std::byte>(details.size() / 2)});
    return "0a" + size + details + "1201aa";
  };
  const struct {
    const char* why;
    std::string hex;
  } cases[] = {
      {"as it is", canonical},
      {"fields out of order", within(key + packed + "0a0161")},
      {"signature first", "1201aa" + canonical.substr(0, canonical.size() - 6)},
      {"words not packed", within("0a0161"
                                  "1081808050"
                                  "1080feffff0f" +
                                  key)},
      {"words packed in two parts", within("0a0161"
                                           "120481808050"
                                           "120580feffff0f" +
                                           key)},
      {"an address of 36 bits is cut to 32", within("0a0161"
                                                    "120b"
                                                    "818080d08001"
                                                    "80feffff0f" +
                                                    key)},
      {"an unknown field", within("0a0161" + packed + key + "f80701")},
      {"default values written out", within("0a0161" + packed + key +
                                            "4000"
                                            "a00600")},
      {"a length in two bytes", "0ab000" + canonical.substr(4)},
      {"the name twice", within("0a0162"
                                "0a0161" +
                                packed + key)},
      {"the details in two parts",
       "0a03"
       "0a0161" +
           within(packed + key)},
  };
  const Certificate expected = decoded(from_hex(canonical));
  EXPECT_EQ(expected.name, "a");
  EXPECT_EQ(texts(expected.networks), std::vector<std::string>{"10.0.0.1/24"});
  for (const auto& [why, hex] : cases) {
    SCOPED_TRACE(why);
    const auto certificate = decode_v1(from_hex(hex));
    ASSERT_TRUE(certificate) << certificate.error().what;
    EXPECT_EQ(to_hex(encode_v1(*certificate)), canonical);
    EXPECT_EQ(certificate->fingerprint, expected.fingerprint);
    EXPECT_EQ(certificate->networks, expected.networks);
  }
}

// The two public certificates of wire.md section 9.
TEST(CodecV1, ReadsNebulasOwnTestCertificates) {
  const Certificate root = decoded(from_hex(
      "0a3e0a0e6e6562756c6120726f6f7420636128cd1c30cdb8ccf0af073a20576e18130e588aa788fe8628f175c5b2"
      "8a3e3c19a239a7cd2612da71ff6bb2ca40011240cfd3809e1f1328050a8b1d64295332414e223372ec15f6517fa3"
      "8359721fdaa58ca41e9fa5ddcf4a8558ce23e83add9b2072052e58112cf273dc8df104474109"));
  EXPECT_EQ(root.name, "nebula root ca");
  EXPECT_EQ(root.fingerprint.to_string(),
            "ce4e6c7a596996eb0d82a8875f0f0137a4b53ce22d2421c9fd7150e7a26f6300");
  CaPool pool;
  EXPECT_TRUE(pool.add(root));

  const Certificate p256 = decoded(from_hex(
      "0a640a106e6562756c612050323536207465737428cd1c30cdb8ccf0af073a410476b9a6838d33429e3802432ae8"
      "366993e7283afd38afece1df7212ca16ec69f9d876e375ee9d9e0fb0a61ef1ee7ab82e5c3f5fdf681cc68fcab050"
      "8a12331efb4001a006011247304502205684e0dfc2fbb9692ef71420b2bd3a93167fbe240b38eff0d508f5bc5504"
      "9e17022100aaef94a34e257dda4bffd4671b4f7c16a4065040306250754c566875f36daccc"));
  EXPECT_EQ(p256.curve, Curve::kP256);
  EXPECT_EQ(p256.public_key.size(), 65U);
  EXPECT_EQ(p256.signed_bytes.size(), 100U);
  EXPECT_TRUE(pool.add(p256));
}

}  // namespace
}  // namespace magnetar::pki
