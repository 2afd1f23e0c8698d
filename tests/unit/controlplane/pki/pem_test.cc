// SPDX-License-Identifier: Apache-2.0
#include "controlplane/pki/pem.h"

#include <gtest/gtest.h>

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
    EXPECT_EQ(write_pem("NEBULA CERTIFICATE", encode_v1(certificates->front())), row["pem"]);
  }
}

TEST(Pem, EveryPrivateKey) {
  for (const json& row : file()["hosts"]) {
    SCOPED_TRACE(row["label"].get<std::string>());
    const auto key = private_key_from_pem(row["private_key_pem"].get<std::string>());
    ASSERT_TRUE(key) << key.error().what;
    EXPECT_EQ(to_hex(key->reveal()), row["private_key"]);
    EXPECT_EQ(write_pem("NEBULA X25519 PRIVATE KEY", key->reveal()), row["private_key_pem"]);
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
       "block \"NEBULA X25519 PRIVATE KEY\" is not a version 1 certificate"},
      {"version 2", write_pem("NEBULA CERTIFICATE V2", content),
       "block \"NEBULA CERTIFICATE V2\" is not a version 1 certificate"},
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
  const struct {
    const char* why;
    std::string text;
    const char* what;  // null: found
  } cases[] = {
      {"alone", right, nullptr},
      {"after its certificate", host_pem(0) + right, nullptr},
      {"empty", "", "holds no PEM block, not \"NEBULA X25519 PRIVATE KEY\""},
      {"a CA's key", file()["ca_private_key_pem_main"].get<std::string>(),
       "holds \"NEBULA ED25519 PRIVATE KEY\", not \"NEBULA X25519 PRIVATE KEY\""},
      {"a P256 key", write_pem("NEBULA P256 PRIVATE KEY", scalar),
       "holds \"NEBULA P256 PRIVATE KEY\", not \"NEBULA X25519 PRIVATE KEY\""},
      {"a public key", write_pem("NEBULA X25519 PUBLIC KEY", scalar),
       "holds \"NEBULA X25519 PUBLIC KEY\", not \"NEBULA X25519 PRIVATE KEY\""},
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
    ASSERT_EQ(key.has_value(), what == nullptr);
    if (key)
      EXPECT_EQ(to_vector(key->reveal()), scalar);
    else
      EXPECT_EQ(key.error().what, what);
  }
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
