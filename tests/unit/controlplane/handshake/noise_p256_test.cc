// SPDX-License-Identifier: Apache-2.0
// Noise IX over P-256: other names, longer keys, points that have to be checked.
#include <gtest/gtest.h>

#include "controlplane/handshake/noise_ix.h"
#include "tests/support/vectors.h"

namespace magnetar::noise {
namespace {

using testing::from_hex;
using testing::to_hex;

constexpr std::size_t kKey = 65;

template <typename Key>
Key counting_key(unsigned first) {
  Key key;
  for (std::byte& byte : key.fill()) byte = static_cast<std::byte>(first++);
  return key;
}

class NoiseP256 : public ::testing::TestWithParam<Cipher> {
 protected:
  [[nodiscard]] Initiator initiator(Curve curve = Curve::kP256) const {
    return {{GetParam(), curve},
            initiator_static_,
            key_pair_from(counting_key<EphemeralPrivateKey>(0x20), curve)};
  }
  [[nodiscard]] Responder responder(Curve curve = Curve::kP256) const {
    return {{GetParam(), curve}, responder_static_};
  }
  [[nodiscard]] static KeyPair ephemeral(Curve curve = Curve::kP256) {
    return key_pair_from(counting_key<EphemeralPrivateKey>(0x41), curve);
  }

  StaticPrivateKey initiator_static_ = counting_key<StaticPrivateKey>(0x00);
  StaticPrivateKey responder_static_ = counting_key<StaticPrivateKey>(0x01);
};

TEST_P(NoiseP256, BothSidesEndWithTheSameKeysAndKnowEachOther) {
  Initiator left = initiator();
  Responder right = responder();
  const Bytes message_1 = left.write_message_1(as_bytes("one"));
  EXPECT_EQ(message_1.size(), 2 * kKey + 3) << "wire.md 3.3: 146 with the header, and the payload";
  EXPECT_EQ(message_1[0], std::byte{4}) << "an uncompressed point";
  const auto hello = right.read_message_1(message_1);
  ASSERT_TRUE(hello);
  EXPECT_EQ(to_vector(hello->payload), to_vector(as_bytes("one")));
  EXPECT_EQ(hello->remote_static, public_key_of(initiator_static_, Curve::kP256));

  const auto answer = right.write_message_2(ephemeral(), as_bytes("two"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->message.size(), 2 * kKey + 16 + 3 + 16) << "178 with the header";
  const auto reply = left.read_message_2(answer->message);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->payload, to_vector(as_bytes("two")));
  EXPECT_EQ(reply->remote_static, public_key_of(responder_static_, Curve::kP256));
  EXPECT_TRUE(reply->transport.initiator_to_responder == answer->transport.initiator_to_responder);
  EXPECT_TRUE(reply->transport.responder_to_initiator == answer->transport.responder_to_initiator);
  EXPECT_EQ(reply->transport.handshake_hash, answer->transport.handshake_hash);
}

TEST_P(NoiseP256, ACutMessageIsRefusedAndChangesNothing) {
  Initiator left = initiator();
  const Bytes message_1 = left.write_message_1(as_bytes("one"));
  for (std::size_t size = 0; size < 2 * kKey; ++size) {
    Responder right = responder();
    const auto hello = right.read_message_1(ByteView(message_1).first(size));
    ASSERT_FALSE(hello) << size;
    EXPECT_EQ(hello.error(), NoiseError::kTooShort);
  }
  Responder right = responder();
  ASSERT_TRUE(right.read_message_1(message_1));
  const Bytes message_2 = right.write_message_2(ephemeral(), as_bytes("two")).value().message;
  for (std::size_t size = 0; size < message_2.size(); ++size) {
    const auto reply = left.read_message_2(ByteView(message_2).first(size));
    ASSERT_FALSE(reply) << size;
    EXPECT_EQ(reply.error(), size < 2 * kKey + 32 ? NoiseError::kTooShort : NoiseError::kBadTag);
  }
  EXPECT_TRUE(left.read_message_2(message_2));
}

TEST_P(NoiseP256, EveryFlippedBitOfAnAnswerIsRefused) {
  Initiator left = initiator();
  Responder right = responder();
  ASSERT_TRUE(right.read_message_1(left.write_message_1({})));
  const Bytes message_2 = right.write_message_2(ephemeral(), as_bytes("two")).value().message;
  Bytes changed = message_2;
  for (std::size_t bit = 0; bit < message_2.size() * 8; ++bit) {
    changed[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(left.read_message_2(changed)) << "bit " << bit;
    changed[bit / 8] = message_2[bit / 8];
  }
  EXPECT_TRUE(left.read_message_2(message_2));
}

TEST_P(NoiseP256, KeysThatAreNoPointsAreRefused) {
  Initiator left = initiator();
  const Bytes message_1 = left.write_message_1({});
  Responder good = responder();
  ASSERT_TRUE(good.read_message_1(message_1));
  const Bytes message_2 = good.write_message_2(ephemeral(), {}).value().message;
  const std::string x = to_hex(ByteView(message_1).subspan(1, 32));
  const std::string y = to_hex(ByteView(message_1).subspan(33, 32));
  const struct {
    const char* why;
    std::string key;
  } cases[] = {
      {"zero", std::string(130, '0')},
      {"0, 0", "04" + std::string(128, '0')},
      {"not on the curve", "04" + x + x},
      {"hybrid", "06" + x + y},
      {"an X25519 key", x + std::string(66, '0')},
  };
  for (const auto& [why, key] : cases) {
    SCOPED_TRACE(why);
    for (const std::size_t offset : {std::size_t{0}, kKey}) {  // the ephemeral, the static
      Bytes forged = message_1;
      std::ranges::copy(from_hex(key), forged.begin() + static_cast<std::ptrdiff_t>(offset));
      Responder right = responder();
      ASSERT_TRUE(right.read_message_1(forged)) << "no curve operation yet";
      const auto answer = right.write_message_2(ephemeral(), {});
      ASSERT_FALSE(answer);
      EXPECT_EQ(answer.error(), NoiseError::kLowOrderKey);
    }
    Bytes forged = message_2;
    std::ranges::copy(from_hex(key), forged.begin());
    const auto reply = left.read_message_2(forged);
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error(), NoiseError::kLowOrderKey);
  }
  EXPECT_TRUE(left.read_message_2(message_2));
}

TEST_P(NoiseP256, TheOtherCurveDoesNotUnderstand) {
  Initiator left = initiator();
  Responder of_25519 = responder(Curve::k25519);
  ASSERT_TRUE(of_25519.read_message_1(left.write_message_1({})));
  const auto answer = of_25519.write_message_2(ephemeral(Curve::k25519), Bytes(100));
  ASSERT_TRUE(answer);
  EXPECT_FALSE(left.read_message_2(answer->message));
}

TEST_P(NoiseP256, TheOtherCipherDoesNotUnderstand) {
  const Cipher other =
      GetParam() == Cipher::kAes256Gcm ? Cipher::kChaCha20Poly1305 : Cipher::kAes256Gcm;
  Initiator left = initiator();
  Responder right({other, Curve::kP256}, responder_static_);
  ASSERT_TRUE(right.read_message_1(left.write_message_1({})));
  const auto reply = left.read_message_2(right.write_message_2(ephemeral(), {}).value().message);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error(), NoiseError::kBadTag);
}

INSTANTIATE_TEST_SUITE_P(BothCiphers, NoiseP256,
                         ::testing::Values(Cipher::kAes256Gcm, Cipher::kChaCha20Poly1305),
                         [](const auto& row) { return std::string(cipher_name(row.param)); });

// The name is what two curves and two ciphers differ in before a word is said (wire.md 3.1).
TEST(Suite, HasANameOfItsOwn) {
  const struct {
    Suite suite;
    std::string name;
  } cases[] = {
      {{Cipher::kAes256Gcm, Curve::k25519}, "Noise_IX_25519_AESGCM_SHA256"},
      {{Cipher::kChaCha20Poly1305, Curve::k25519}, "Noise_IX_25519_ChaChaPoly_SHA256"},
      {{Cipher::kAes256Gcm, Curve::kP256}, "Noise_IX_P256_AESGCM_SHA256"},
      {{Cipher::kChaCha20Poly1305, Curve::kP256}, "Noise_IX_P256_ChaChaPoly_SHA256"},
  };
  for (const auto& [suite, name] : cases) {
    std::array<std::byte, 32> padded{};
    std::ranges::copy(as_bytes(name), padded.begin());
    EXPECT_EQ(SymmetricState(suite).hash(), padded) << name;
  }
}

}  // namespace
}  // namespace magnetar::noise
