// SPDX-License-Identifier: Apache-2.0
#include "controlplane/pki/pem.h"

#include <gtest/gtest.h>

#include "controlplane/crypto/key_agreement.h"
#include "controlplane/pki/codec_v1.h"
#include "tests/support/vectors.h"

namespace magnetar::pki {
namespace {

using nlohmann::json;
using testing::from_hex;
using testing::to_hex;

const json& file() {
  static const json loaded = testing::load_vectors("certificates-v1.json");
  return loaded;
}

std::string host_pem(std::size_t i) { return file()["hosts"][i]["pem"].get<std::string>(); }

TEST(Pem, EveryVectorBothWays) {
  std::vector<json> rows(file()["hosts"].begin(), file()["hosts"].end());
  for (const auto& [name, ca] : file()["cas"].items()) rows.push_back(ca);
  for (const json& row : rows) {
    SCOPED_TRACE(row["name"].get<std::string>());
    const auto certificates = certificates_from_pem(row["pem"].get<std::string>());
    ASSERT_TRUE(certificates) << certificates.error().what;
    ASSERT_EQ(certificates->size(), 1U);
    EXPECT_EQ(certificates->front().fingerprint.to_string(), row["fingerprint"]);
    EXPECT_EQ(to_pem(certificates->front()), row["pem"]);
  }
}

TEST(Pem, EveryPrivateKey) {
  for (const json& row : file()["hosts"]) {
    SCOPED_TRACE(row["label"].get<std::string>());
    const auto key = private_key_from_pem(row["private_key_pem"].get<std::string>());
    ASSERT_TRUE(key) << key.error().what;
    EXPECT_EQ(to_hex(key->secret.reveal()), row["private_key"]);
    EXPECT_EQ(to_pem(*key), row["private_key_pem"]);
  }
}

TEST(Pem, ReadsSeveralBlocksWithTextBetween) {
  const std::string bundle = "# the first\n" + host_pem(0) + "\n\nand -----BEGIN in a sentence\n" +
                             host_pem(1) + host_pem(2) + "-----END NOTHING-----\ntrailing";
  const auto certificates = certificates_from_pem(bundle);
  ASSERT_TRUE(certificates) << certificates.error().what;
  ASSERT_EQ(certificates->size(), 3U);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_EQ((*certificates)[i].fingerprint.to_string(), file()["hosts"][i]["fingerprint"]);
}

TEST(Pem, ReadsBlocksHoweverTheirLinesAreBroken) {
  const struct {
    const char* why;
    const char* text;
  } cases[] = {
      {"as written", "-----BEGIN A B-----\nAAEC\n-----END A B-----\n"},
      {"Windows line ends", "-----BEGIN A B-----\r\nAAEC\r\n-----END A B-----\r\n"},
      {"no line end at the end", "-----BEGIN A B-----\nAAEC\n-----END A B-----"},
      {"short lines", "-----BEGIN A B-----\nA\nAE\nC\n-----END A B-----"},
      {"blank lines", "\n-----BEGIN A B-----\n\nAAEC\n\n-----END A B-----\n\n"},
      {"blanks at line ends", "-----BEGIN A B----- \nAAEC \t\n-----END A B-----  "},
  };
  for (const auto& [why, text] : cases) {
    SCOPED_TRACE(why);
    const auto blocks = parse_pem(text);
    ASSERT_TRUE(blocks) << blocks.error().what;
    ASSERT_EQ(blocks->size(), 1U);
    EXPECT_EQ(blocks->front().banner, "A B");
    EXPECT_EQ(to_hex(blocks->front().content), "000102");
  }
}

TEST(Pem, AnEmptyTextHasNoBlocks) {
  for (const char* text : {"", "\n", "just text", "-----BEGIN A B", "-----END A-----\n"}) {
    SCOPED_TRACE(text);
    const auto blocks = parse_pem(text);
    ASSERT_TRUE(blocks);
    EXPECT_TRUE(blocks->empty());
  }
}

TEST(Pem, RefusesBrokenBlocks) {
  const struct {
    const char* why;
    const char* text;
    const char* what;
  } cases[] = {
      {"no end", "-----BEGIN A-----\nAAEC\n", "block \"A\" does not end"},
      {"nothing after the banner", "-----BEGIN A-----", "block \"A\" does not end"},
      {"the end of another", "-----BEGIN A-----\nAAEC\n-----END B-----\n",
       "block \"A\" does not end"},
      {"a second beginning", "-----BEGIN A-----\n-----BEGIN A-----\nAAEC\n-----END A-----\n",
       "block \"A\" does not end"},
      {"not base64", "-----BEGIN A-----\nA*EC\n-----END A-----\n", "block \"A\" is not base64"},
      {"base64 for URLs", "-----BEGIN A-----\nAA-_\n-----END A-----\n",
       "block \"A\" is not base64"},
      {"without padding", "-----BEGIN A-----\nAAE\n-----END A-----\n", "block \"A\" is not base64"},
      {"padding in the middle", "-----BEGIN A-----\nAA==AAEC\n-----END A-----\n",
       "block \"A\" is not base64"},
      {"bits that mean nothing", "-----BEGIN A-----\nAAF=\n-----END A-----\n",
       "block \"A\" is not base64"},
      {"a good block, then a bad one",
       "-----BEGIN A-----\nAAEC\n-----END A-----\n-----BEGIN B-----\n", "block \"B\" does not end"},
  };
  for (const auto& [why, text, what] : cases) {
    SCOPED_TRACE(why);
    const auto blocks = parse_pem(text);
    ASSERT_FALSE(blocks);
    EXPECT_EQ(blocks.error().what, what);
  }
}

TEST(Pem, RefusesFilesWithoutTheirCertificates) {
  const Bytes content = from_hex(file()["hosts"][0]["protobuf"].get<std::string>());
  const struct {
    const char* why;
    std::string text;
    const char* what;
  } cases[] = {
      {"empty", "", "holds no PEM block"},
      {"a key", file()["hosts"][0]["private_key_pem"].get<std::string>(),
       "block \"NEBULA X25519 PRIVATE KEY\": not a certificate"},
      {"version 1 under the banner of version 2", write_pem("NEBULA CERTIFICATE V2", content),
       "block \"NEBULA CERTIFICATE V2\": not a DER sequence"},
      {"not a certificate", write_pem("NEBULA CERTIFICATE", from_hex("1202aabb")),
       "block \"NEBULA CERTIFICATE\": without details"},
      {"an empty block", write_pem("NEBULA CERTIFICATE", {}),
       "block \"NEBULA CERTIFICATE\": without details"},
      {"a good one, then a bad one", host_pem(0) + write_pem("NEBULA CERTIFICATE", from_hex("00")),
       "block \"NEBULA CERTIFICATE\": not a protobuf message"},
  };
  for (const auto& [why, text, what] : cases) {
    SCOPED_TRACE(why);
    const auto certificates = certificates_from_pem(text);
    ASSERT_FALSE(certificates);
    EXPECT_EQ(certificates.error().what, what);
  }
}

TEST(Pem, FindsThePrivateKeyAndNoOther) {
  const Bytes scalar(32, std::byte{9});
  const std::string right = write_pem("NEBULA X25519 PRIVATE KEY", scalar);
  const std::string kEither = " \"NEBULA X25519 PRIVATE KEY\" or \"NEBULA P256 PRIVATE KEY\"";
  const struct {
    const char* why;
    std::string text;
    std::string what;  // empty: found
  } cases[] = {
      {"alone", right, ""},
      {"after its certificate", host_pem(0) + right, ""},
      {"empty", "", "holds no PEM block, not" + kEither},
      {"a CA's key", file()["ca_private_key_pem_main"].get<std::string>(),
       "holds \"NEBULA ED25519 PRIVATE KEY\", not" + kEither},
      {"a P256 key", write_pem("NEBULA P256 PRIVATE KEY", scalar), ""},
      {"a P256 key past the order",
       write_pem("NEBULA P256 PRIVATE KEY", Bytes(32, std::byte{0xff})),
       "a number that is no private key of P256"},
      {"a public key", write_pem("NEBULA X25519 PUBLIC KEY", scalar),
       "holds \"NEBULA X25519 PUBLIC KEY\", not" + kEither},
      {"a byte short", write_pem("NEBULA X25519 PRIVATE KEY", ByteView(scalar).first(31)),
       "a private key that is not 32 bytes long"},
      {"a byte long", write_pem("NEBULA X25519 PRIVATE KEY", Bytes(33)),
       "a private key that is not 32 bytes long"},
      {"broken", "-----BEGIN NEBULA X25519 PRIVATE KEY-----\n",
       "block \"NEBULA X25519 PRIVATE KEY\" does not end"},
  };
  for (const auto& [why, text, what] : cases) {
    SCOPED_TRACE(why);
    const auto key = private_key_from_pem(text);
    ASSERT_EQ(key.has_value(), what.empty());
    if (key)
      EXPECT_EQ(to_vector(key->secret.reveal()), scalar);
    else
      EXPECT_EQ(key.error().what, what);
  }
}

TEST(Pem, EveryVectorOfVersion2BothWays) {
  const json v2 = testing::load_vectors("certificates-v2.json");
  std::vector<json> rows(v2["cas"].begin(), v2["cas"].end());
  const std::size_t cas = rows.size();
  for (const json& host : v2["hosts"])
    if (host.contains("pem")) rows.push_back(host);
  ASSERT_EQ(rows.size(), 15U);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    SCOPED_TRACE(rows[i]["print"][0]["details"]["name"].get<std::string>());
    const auto certificates = certificates_from_pem(rows[i]["pem"].get<std::string>());
    ASSERT_TRUE(certificates) << certificates.error().what;
    ASSERT_EQ(certificates->size(), 1U);
    const Certificate& certificate = certificates->front();
    EXPECT_EQ(to_pem(certificate), rows[i]["pem"]);
    const auto key_pem = rows[i]["key_pem"].get<std::string>();
    if (i < cas) {
      const auto key = signing_key_from_pem(key_pem);
      ASSERT_TRUE(key) << key.error().what;
      EXPECT_EQ(to_pem(*key), key_pem);
      EXPECT_EQ(to_vector(key->public_key()), certificate.public_key);
    } else {
      const auto key = private_key_from_pem(key_pem);
      ASSERT_TRUE(key) << key.error().what;
      EXPECT_EQ(to_pem(*key), key_pem);
      EXPECT_EQ(key->curve, certificate.curve);
      EXPECT_EQ(to_vector(crypto::key_agreement(key->curve).public_key_of(key->secret)),
                certificate.public_key);
    }
  }
}

TEST(Pem, BothVersionsOfOneHostInOneFile) {
  const json v2 = testing::load_vectors("certificates-v2.json");
  const auto both = certificates_from_pem("the old\n" + host_pem(0) + "the new\n" +
                                          v2["hosts"][0]["pem"].get<std::string>());
  ASSERT_TRUE(both) << both.error().what;
  ASSERT_EQ(both->size(), 2U);
  EXPECT_EQ((*both)[0].version, 1);
  EXPECT_EQ((*both)[1].version, 2);
}

TEST(Pem, FindsTheKeyOfACaAndNoOther) {
  const json v2 = testing::load_vectors("certificates-v2.json");
  const struct {
    const char* why;
    std::string text;
    std::string what;  // empty: found
  } cases[] = {
      {"Ed25519", v2["cas"]["v2-25519"]["key_pem"], ""},
      {"P-256", v2["cas"]["v2-p256"]["key_pem"], ""},
      {"a host's key", v2["hosts"][0]["key_pem"],
       "holds \"NEBULA X25519 PRIVATE KEY\", not \"NEBULA ED25519 PRIVATE KEY\" or \"NEBULA ECDSA "
       "P256 PRIVATE KEY\""},
      {"the seed alone", write_pem("NEBULA ED25519 PRIVATE KEY", Bytes(32)),
       "not a private key of a CA"},
      {"encrypted", write_pem(encrypted_signing_key_banner(Curve::k25519), Bytes(32)),
       "holds \"NEBULA ED25519 ENCRYPTED PRIVATE KEY\", not \"NEBULA ED25519 PRIVATE KEY\" or "
       "\"NEBULA ECDSA P256 PRIVATE KEY\""},
  };
  for (const auto& [why, text, what] : cases) {
    SCOPED_TRACE(why);
    const auto key = signing_key_from_pem(text);
    ASSERT_EQ(key.has_value(), what.empty());
    EXPECT_EQ(key ? "" : key.error().what, what);
  }
}

TEST(Pem, PublicKeysOfHosts) {
  for (const Curve curve : {Curve::k25519, Curve::kP256}) {
    PublicKey key(curve);
    key.fill()[1] = std::byte{7};
    const auto again = public_key_from_pem(to_pem(key));
    ASSERT_TRUE(again) << again.error().what;
    EXPECT_EQ(*again, key);
  }
  EXPECT_FALSE(public_key_from_pem(write_pem(public_key_banner(Curve::kP256), Bytes(32))));
  EXPECT_FALSE(public_key_from_pem(write_pem("NEBULA ED25519 PUBLIC KEY", Bytes(32))));
}

TEST(Pem, WritesLinesOf64) {
  const struct {
    std::size_t size;
    const char* lines;
  } cases[] = {{0, ""}, {1, "AA==\n"}, {48, "a full line"}, {49, "a full line and four"}};
  for (const auto& [size, lines] : cases) {
    SCOPED_TRACE(lines);
    const std::string full(64, 'A');
    const std::string expected = size == 48   ? full + "\n"
                                 : size == 49 ? full + "\nAA==\n"
                                              : std::string(lines);
    EXPECT_EQ(write_pem("X", Bytes(size)), "-----BEGIN X-----\n" + expected + "-----END X-----\n");
  }
}

}  // namespace
}  // namespace magnetar::pki
