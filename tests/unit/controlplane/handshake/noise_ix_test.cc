// SPDX-License-Identifier: Apache-2.0
#include "controlplane/handshake/noise_ix.h"

#include <gtest/gtest.h>

#include "tests/support/vectors.h"

namespace magnetar::noise {
namespace {

using testing::array_from_hex;
using testing::from_hex;
using testing::to_hex;

// 32 bytes counting up from `first`, as in wire.md section 9.
template <typename Key>
Key counting_key(unsigned first) {
  Key key;
  for (std::byte& byte : key.fill()) byte = static_cast<std::byte>(first++);
  return key;
}

class NoiseIx : public ::testing::TestWithParam<Cipher> {
 protected:
  [[nodiscard]] Initiator initiator() const {
    return {GetParam(), initiator_static_, key_pair_from(counting_key<EphemeralPrivateKey>(0x20))};
  }
  [[nodiscard]] Responder responder() const { return {GetParam(), responder_static_}; }
  [[nodiscard]] static KeyPair responder_ephemeral() {
    return key_pair_from(counting_key<EphemeralPrivateKey>(0x41));
  }
  // Message 2 in answer to `message_1`.
  [[nodiscard]] Bytes answer_to(ByteView message_1) const {
    Responder right = responder();
    EXPECT_TRUE(right.read_message_1(message_1));
    return right.write_message_2(responder_ephemeral(), as_bytes("test_msg_1")).value().message;
  }
  static void expect_reply(const Initiator& left, ByteView message_2) {
    const auto reply = left.read_message_2(message_2);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->payload, to_vector(as_bytes("test_msg_1")));
  }

  StaticPrivateKey initiator_static_ = counting_key<StaticPrivateKey>(0x00);
  StaticPrivateKey responder_static_ = counting_key<StaticPrivateKey>(0x01);
};

// Points of small order on the curve and its twist, in every form that X25519 reads.
constexpr const char* kLowOrderKeys[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000080",
};

TEST_P(NoiseIx, MessagesOfWrongLengthAreTooShort) {
  const Bytes enough(64);
  for (std::size_t size = 0; size <= enough.size(); ++size) {
    Responder right = responder();
    const auto hello = right.read_message_1(ByteView(enough).first(size));
    EXPECT_EQ(hello.has_value(), size == 64) << "the payload may be empty";
    if (hello) continue;
    EXPECT_EQ(hello.error(), NoiseError::kTooShort);
  }
}

TEST_P(NoiseIx, ATruncatedAnswerChangesNothing) {
  Initiator left = initiator();
  const Bytes message_2 = answer_to(left.write_message_1(as_bytes("test_msg_0")));
  for (std::size_t size = 0; size < message_2.size(); ++size) {
    SCOPED_TRACE(size);
    const auto reply = left.read_message_2(ByteView(message_2).first(size));
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error(), size < 96 ? NoiseError::kTooShort : NoiseError::kBadTag);
    expect_reply(left, message_2);
  }
}

TEST_P(NoiseIx, EveryFlippedBitOfAnAnswerIsRefused) {
  Initiator left = initiator();
  const Bytes message_2 = answer_to(left.write_message_1(as_bytes("test_msg_0")));
  Bytes changed = message_2;
  for (std::size_t bit = 0; bit < message_2.size() * 8; ++bit) {
    changed[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(left.read_message_2(changed)) << "bit " << bit;
    changed[bit / 8] = message_2[bit / 8];
  }
  expect_reply(left, message_2);
}

TEST_P(NoiseIx, AnAnswerToAnotherHelloIsRefused) {
  Initiator left = initiator();
  const Bytes message_1 = left.write_message_1(as_bytes("test_msg_0"));
  for (std::size_t byte = 0; byte < message_1.size(); ++byte) {
    Bytes changed = message_1;
    changed[byte] ^= std::byte{0x10};
    const auto reply = left.read_message_2(answer_to(changed));
    ASSERT_FALSE(reply) << "byte " << byte;
    EXPECT_EQ(reply.error(), NoiseError::kBadTag);
  }
  expect_reply(left, answer_to(message_1));
}

TEST_P(NoiseIx, TheInitiatorRefusesALowOrderEphemeral) {
  Initiator left = initiator();
  const Bytes message_2 = answer_to(left.write_message_1(as_bytes("test_msg_0")));
  for (const char* key : kLowOrderKeys) {
    SCOPED_TRACE(key);
    Bytes forged = message_2;
    std::ranges::copy(from_hex(key), forged.begin());
    const auto reply = left.read_message_2(forged);
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error(), NoiseError::kLowOrderKey);
    expect_reply(left, message_2);
  }
}

TEST_P(NoiseIx, TheResponderRefusesLowOrderKeys) {
  const Bytes message_1 = initiator().write_message_1(as_bytes("test_msg_0"));
  for (const char* key : kLowOrderKeys) {
    for (const std::size_t offset : {0U, 32U}) {  // the ephemeral, the static
      SCOPED_TRACE(std::string(key) + " at " + std::to_string(offset));
      Bytes forged = message_1;
      std::ranges::copy(from_hex(key), forged.begin() + static_cast<std::ptrdiff_t>(offset));
      Responder right = responder();
      ASSERT_TRUE(right.read_message_1(forged));
      const auto answer = right.write_message_2(responder_ephemeral(), {});
      ASSERT_FALSE(answer);
      EXPECT_EQ(answer.error(), NoiseError::kLowOrderKey);
    }
  }
}

// Who has message 1 and the responder's keys but not the responder's static secret gets nowhere.
TEST_P(NoiseIx, AnotherResponderIsSeenByItsKey) {
  Initiator left = initiator();
  const Bytes message_1 = left.write_message_1(as_bytes("test_msg_0"));
  const auto impostor_static = counting_key<StaticPrivateKey>(0x99);
  Responder impostor(GetParam(), impostor_static);
  ASSERT_TRUE(impostor.read_message_1(message_1));
  const auto answer = impostor.write_message_2(responder_ephemeral(), {});
  const auto reply = left.read_message_2(answer.value().message);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->remote_static, public_key_of(impostor_static));
  EXPECT_NE(reply->remote_static, public_key_of(responder_static_));
}

TEST_P(NoiseIx, TheOtherCipherDoesNotUnderstand) {
  const Cipher other =
      GetParam() == Cipher::kAes256Gcm ? Cipher::kChaCha20Poly1305 : Cipher::kAes256Gcm;
  Initiator left = initiator();
  Responder right(other, responder_static_);
  ASSERT_TRUE(right.read_message_1(left.write_message_1({})));
  const auto answer = right.write_message_2(responder_ephemeral(), {});
  const auto reply = left.read_message_2(answer.value().message);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error(), NoiseError::kBadTag);
}

INSTANTIATE_TEST_SUITE_P(BothCiphers, NoiseIx,
                         ::testing::Values(Cipher::kAes256Gcm, Cipher::kChaCha20Poly1305),
                         [](const auto& row) { return std::string(cipher_name(row.param)); });

// RFC 7748 section 6.1, Bob.
TEST(Keys, PublicKeysAreTheImagesOfPrivateOnes) {
  const auto secret =
      array_from_hex<32>("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
  const std::string image = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";
  const KeyPair pair = key_pair_from(EphemeralPrivateKey(secret));
  EXPECT_EQ(to_hex(pair.public_key), image);
  EXPECT_EQ(to_hex(pair.secret.reveal()), to_hex(secret));
  EXPECT_EQ(to_hex(public_key_of(StaticPrivateKey(secret))), image);
}

TEST(SymmetricState, WithoutAKeyOnlyHashes) {
  SymmetricState sender(Cipher::kAes256Gcm);
  SymmetricState receiver(Cipher::kAes256Gcm);
  Bytes sent;
  sender.encrypt_and_hash(as_bytes("in the clear"), sent);
  EXPECT_EQ(sent, to_vector(as_bytes("in the clear")));
  const auto received = receiver.decrypt_and_hash(sent);
  ASSERT_TRUE(received);
  EXPECT_EQ(*received, sent);
  EXPECT_EQ(sender.hash(), receiver.hash());
  EXPECT_NE(sender.hash(), SymmetricState(Cipher::kAes256Gcm).hash());
}

TEST(SymmetricState, AFailedReadChangesNothing) {
  const Secret<32> shared(array_from_hex<32>(std::string(64, '3')));
  SymmetricState sender(Cipher::kAes256Gcm);
  SymmetricState receiver(Cipher::kAes256Gcm);
  sender.mix_key(shared);
  receiver.mix_key(shared);
  for (int i = 0; i < 3; ++i) {  // the nonce moves with every message
    Bytes sent;
    sender.encrypt_and_hash(as_bytes("secret"), sent);
    Bytes forged = sent;
    forged.back() ^= std::byte{1};
    const auto before = receiver.hash();
    EXPECT_FALSE(receiver.decrypt_and_hash(forged));
    EXPECT_EQ(receiver.hash(), before);
    const auto received = receiver.decrypt_and_hash(sent);
    ASSERT_TRUE(received);
    EXPECT_EQ(*received, to_vector(as_bytes("secret")));
    EXPECT_EQ(sender.hash(), receiver.hash());
  }
}

TEST(SymmetricState, ADuplicateGoesItsOwnWay) {
  SymmetricState first(Cipher::kChaCha20Poly1305);
  first.mix_key(Secret<32>(array_from_hex<32>(std::string(64, '3'))));
  SymmetricState second = first.duplicate();
  EXPECT_TRUE(first.split().initiator_to_responder == second.split().initiator_to_responder);
  second.mix_hash(as_bytes("x"));
  EXPECT_NE(first.hash(), second.hash());
  second.mix_key(Secret<32>(array_from_hex<32>(std::string(64, '4'))));
  EXPECT_FALSE(first.split().initiator_to_responder == second.split().initiator_to_responder);
}

}  // namespace
}  // namespace magnetar::noise
