// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/cert/encrypted_key.h"

#include <algorithm>
#include <string>

#include <encrypted_key.pb.h>
#include <gtest/gtest.h>

#include "controlplane/pki/pem.h"
#include "tests/support/random.h"

namespace magnetar::cli::cert {
namespace {

using crypto::SigningKey;

constexpr Argon2 kCheap{64, 1, 2};

// Made with nebula-cert 1.11.0: NEBULA_CA_PASSPHRASE=secret, -argon-memory 65536,
// -argon-iterations 2.
constexpr std::string_view kFromNebula =
    "-----BEGIN NEBULA ED25519 ENCRYPTED PRIVATE KEY-----\n"
    "CjsKC0FFUy0yNTYtR0NNEiwIExCAgAQYAiAEKiCZEvpoyx5eZlT3p2P/uj0jwh9e\n"
    "i60LQKlLOfcvZjyykhJctmoS76YELyKDytCY0S6RdlLahtphNTdtcXTOOtJl0sS0\n"
    "uBE0RS3Ol00kFASZ5rkoOmXMessjLrxGWZGQA/CEV2w6j26SjnXHSfWwg+Rzxg3d\n"
    "n7SHqmG9ozoEPqg=\n"
    "-----END NEBULA ED25519 ENCRYPTED PRIVATE KEY-----\n";
constexpr std::string_view kPublicKeyOfIt =
    "651d2f08535536a8b0fb458f096b83b56a3b214e298cebf2a6ce18f374d69d59";

proto::EncryptedData data_of(const std::string& pem) {
  const auto blocks = pki::parse_pem(pem);
  proto::EncryptedData data;
  EXPECT_TRUE(data.ParseFromArray(blocks->front().content.data(),
                                  static_cast<int>(blocks->front().content.size())));
  return data;
}

std::string pem_of(const proto::EncryptedData& data) {
  return pki::write_pem(pki::encrypted_signing_key_banner(Curve::k25519),
                        as_bytes(data.SerializeAsString()));
}

TEST(EncryptedKey, OpensWhatNebulaCertMade) {
  ASSERT_TRUE(is_encrypted(kFromNebula));
  const auto key = decrypt(kFromNebula, "secret");
  ASSERT_TRUE(key) << key.error().text;
  EXPECT_EQ(key->curve(), Curve::k25519);
  const PublicKey shown = key->public_key();
  std::string hex;
  for (const std::byte byte : shown.view())
    for (const unsigned shift : {4U, 0U})
      hex += "0123456789abcdef"[(std::to_integer<unsigned>(byte) >> shift) & 0xfU];
  EXPECT_EQ(hex, kPublicKeyOfIt);
}

TEST(EncryptedKey, ComesBackOnEitherCurve) {
  testing::SeededRandom random(7);
  for (const Curve curve : {Curve::k25519, Curve::kP256}) {
    SCOPED_TRACE(curve_name(curve));
    const auto key = SigningKey::generate(curve, random);
    const auto pem = encrypt(key, "pass phrase", kCheap, random);
    ASSERT_TRUE(pem) << pem.error().text;
    EXPECT_TRUE(is_encrypted(*pem));
    EXPECT_FALSE(is_encrypted(pki::to_pem(key)));
    const auto back = decrypt(*pem, "pass phrase");
    ASSERT_TRUE(back) << back.error().text;
    EXPECT_TRUE(std::ranges::equal(back->reveal(), key.reveal()));
    const proto::EncryptedData data = data_of(*pem);
    EXPECT_EQ(data.metadata().algorithm(), "AES-256-GCM");
    EXPECT_EQ(data.metadata().argon2().version(), 19);
    EXPECT_EQ(data.metadata().argon2().salt().size(), 32U);
    EXPECT_EQ(data.ciphertext().size(), 12 + key.reveal().size() + 16);
  }
}

TEST(EncryptedKey, NeverUsesASaltOrANonceTwice) {
  testing::SeededRandom random(7);
  const auto key = SigningKey::generate(Curve::k25519, random);
  const auto one = data_of(encrypt(key, "x", kCheap, random).value());
  const auto two = data_of(encrypt(key, "x", kCheap, random).value());
  EXPECT_NE(one.metadata().argon2().salt(), two.metadata().argon2().salt());
  EXPECT_NE(one.ciphertext().substr(0, 12), two.ciphertext().substr(0, 12));
}

TEST(EncryptedKey, RefusesAWrongPassphrase) {
  testing::SeededRandom random(7);
  const auto key = SigningKey::generate(Curve::k25519, random);
  const std::string pem = encrypt(key, "right", kCheap, random).value();
  for (const char* wrong : {"", "Right", "right "}) {
    const auto opened = decrypt(pem, wrong);
    ASSERT_FALSE(opened) << wrong;
    EXPECT_NE(opened.error().text.find("passphrase is wrong"), std::string::npos);
  }
}

TEST(EncryptedKey, RefusesEveryDamagedByteOfTheSealedKey) {
  testing::SeededRandom random(7);
  const auto key = SigningKey::generate(Curve::k25519, random);
  const proto::EncryptedData good = data_of(encrypt(key, "x", kCheap, random).value());
  for (std::size_t i = 0; i < good.ciphertext().size(); ++i) {
    proto::EncryptedData bad = good;
    char& byte = (*bad.mutable_ciphertext())[i];
    byte = static_cast<char>(byte ^ 1);
    EXPECT_FALSE(decrypt(pem_of(bad), "x")) << i;
  }
  for (std::size_t size = 0; size < good.ciphertext().size(); ++size) {
    proto::EncryptedData bad = good;
    bad.mutable_ciphertext()->resize(size);
    EXPECT_FALSE(decrypt(pem_of(bad), "x")) << size;
  }
}

TEST(EncryptedKey, RefusesParametersItCannotUse) {
  testing::SeededRandom random(7);
  const auto key = SigningKey::generate(Curve::k25519, random);
  const proto::EncryptedData good = data_of(encrypt(key, "x", kCheap, random).value());
  struct Row {
    const char* why;
    void (*spoil)(proto::EncryptionMetadata&);
    const char* says;
  };
  const Row rows[] = {
      {"another cipher", [](auto& m) { m.set_algorithm("AES-256-CBC"); }, "not AES-256-GCM"},
      {"another Argon2", [](auto& m) { m.mutable_argon2()->set_version(16); }, "version 19"},
      {"a short salt", [](auto& m) { m.mutable_argon2()->set_salt("123456789012345"); }, "salt"},
      {"no memory", [](auto& m) { m.mutable_argon2()->set_memory(0); }, "out of range"},
      {"no iteration", [](auto& m) { m.mutable_argon2()->set_iterations(0); }, "out of range"},
      {"no thread", [](auto& m) { m.mutable_argon2()->set_parallelism(0); }, "out of range"},
      {"256 threads", [](auto& m) { m.mutable_argon2()->set_parallelism(256); }, "out of range"},
      {"too little memory for its threads", [](auto& m) { m.mutable_argon2()->set_memory(8); },
       "Argon2 of the passphrase"},
      {"4 TiB, which is refused before it is taken",
       [](auto& m) { m.mutable_argon2()->set_memory(0xffffffff); }, "this machine has"},
      {"nothing", [](auto& m) { m.Clear(); }, "not AES-256-GCM"},
  };
  for (const auto& [why, spoil, says] : rows) {
    SCOPED_TRACE(why);
    proto::EncryptedData bad = good;
    spoil(*bad.mutable_metadata());
    const auto opened = decrypt(pem_of(bad), "x");
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().text.find(says), std::string::npos) << opened.error().text;
  }
}

TEST(EncryptedKey, RefusesWhatIsNoProtobuf) {
  const std::string pem =
      pki::write_pem(pki::encrypted_signing_key_banner(Curve::k25519), as_bytes("\xff\xff\xff"));
  EXPECT_EQ(decrypt(pem, "x").error().text, "the encrypted key: damaged");
  EXPECT_FALSE(decrypt("nothing", "x"));
}

}  // namespace
}  // namespace magnetar::cli::cert
