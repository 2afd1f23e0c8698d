// SPDX-License-Identifier: Apache-2.0
#include "controlplane/handshake/aead.h"

#include <gtest/gtest.h>

#include "tests/support/vectors.h"

namespace magnetar::handshake {
namespace {

using testing::from_hex;
using testing::to_hex;

TEST(Aead, NonceOrderDependsOnTheCipher) {
  const struct {
    std::uint64_t counter;
    const char* aes;
    const char* chacha;
  } cases[] = {
      {0, "000000000000000000000000", "000000000000000000000000"},
      {3, "000000000000000000000003", "000000000300000000000000"},
      {0x0102030405060708, "000000000102030405060708", "000000000807060504030201"},
      {0xfffffffffffffffe, "00000000fffffffffffffffe", "00000000feffffffffffffff"},
  };
  for (const auto& [counter, aes, chacha] : cases) {
    SCOPED_TRACE(counter);
    EXPECT_EQ(to_hex(aead_nonce(Cipher::kAes256Gcm, counter)), aes);
    EXPECT_EQ(to_hex(aead_nonce(Cipher::kChaCha20Poly1305, counter)), chacha);
  }
}

// wire.md section 9: a relay envelope authenticates the packet inside and encrypts nothing.
TEST(Aead, SealsTheRelayEnvelopeOfTheWorkedExample) {
  const Secret<32> key(testing::array_from_hex<32>(
      "4242424242424242424242424242424242424242424242424242424242424242"));
  const Bytes aad = from_hex(
      "110100000a0b0c0d000000000000000711000000556677880000000000000003f2ff0e65fd9bef99d3ad98251a16"
      "221d4550becb1539be4dce347ca5daf51316");
  Bytes tag;
  aead_seal(Cipher::kAes256Gcm, key, 7, aad, {}, tag);
  EXPECT_EQ(to_hex(tag), "706f72d0dd32d17238f87fcd253add40");
  Bytes plaintext;
  EXPECT_TRUE(aead_open(Cipher::kAes256Gcm, key, 7, aad, tag, plaintext));
  EXPECT_TRUE(plaintext.empty());
}

class AeadOf : public ::testing::TestWithParam<Cipher> {};

TEST_P(AeadOf, OpensOnlyWhatWasSealed) {
  const Secret<32> key(testing::array_from_hex<32>(std::string(64, '7')));
  const Secret<32> other(testing::array_from_hex<32>(std::string(64, '8')));
  const Bytes aad = from_hex("0102");
  const Bytes plaintext = from_hex("00112233445566778899");
  Bytes sealed = from_hex("ee");  // appended to
  aead_seal(GetParam(), key, 5, aad, plaintext, sealed);
  ASSERT_EQ(sealed.size(), 1 + plaintext.size() + 16);
  EXPECT_EQ(sealed[0], std::byte{0xee});
  const ByteView body = ByteView(sealed).subspan(1);

  Bytes out;
  EXPECT_TRUE(aead_open(GetParam(), key, 5, aad, body, out));
  EXPECT_EQ(out, plaintext);

  Bytes flipped = to_vector(body);
  flipped[0] ^= std::byte{1};
  out = from_hex("aa");
  EXPECT_FALSE(aead_open(GetParam(), key, 5, aad, flipped, out)) << "another ciphertext";
  EXPECT_FALSE(aead_open(GetParam(), key, 6, aad, body, out)) << "another counter";
  EXPECT_FALSE(aead_open(GetParam(), other, 5, aad, body, out)) << "another key";
  EXPECT_FALSE(aead_open(GetParam(), key, 5, plaintext, body, out)) << "other associated data";
  for (std::size_t size = 0; size < body.size(); ++size)
    EXPECT_FALSE(aead_open(GetParam(), key, 5, aad, body.first(size), out)) << "cut to " << size;
  EXPECT_EQ(to_hex(out), "aa") << "a failure leaves the output alone";
}

INSTANTIATE_TEST_SUITE_P(BothCiphers, AeadOf,
                         ::testing::Values(Cipher::kAes256Gcm, Cipher::kChaCha20Poly1305),
                         [](const auto& row) { return std::string(cipher_name(row.param)); });

}  // namespace
}  // namespace magnetar::handshake
