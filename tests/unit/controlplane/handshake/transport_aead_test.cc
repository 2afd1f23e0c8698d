// SPDX-License-Identifier: Apache-2.0
#include "controlplane/handshake/transport_aead.h"

#include <gtest/gtest.h>

#include "tests/support/vectors.h"

namespace magnetar::handshake {
namespace {

using noise::NoiseError;
using testing::from_hex;
using wire::Header;
using wire::MessageType;

class TransportAead : public ::testing::TestWithParam<Cipher> {
 protected:
  TransportKey key_{testing::array_from_hex<32>(std::string(64, '5'))};
  Header header_{MessageType::kMessage, 0, 0x11223344, Counter{3}};
  Bytes plaintext_ = from_hex("6e6562756c61");
  Bytes packet_ = seal_packet(GetParam(), key_, header_, plaintext_);
};

TEST_P(TransportAead, OpensItsOwnPackets) {
  ASSERT_EQ(packet_.size(), Header::kSize + plaintext_.size() + wire::kTagSize);
  const auto opened = open_packet(GetParam(), key_, packet_);
  ASSERT_TRUE(opened);
  EXPECT_EQ(*opened, plaintext_);
}

TEST_P(TransportAead, RefusesEveryFlippedBit) {
  for (std::size_t bit = 0; bit < packet_.size() * 8; ++bit) {
    Bytes changed = packet_;
    changed[bit / 8] ^= std::byte{1} << (bit % 8);
    const auto opened = open_packet(GetParam(), key_, changed);
    ASSERT_FALSE(opened) << "bit " << bit << ", reserved bytes of the header included";
    EXPECT_EQ(opened.error(), NoiseError::kBadTag);
  }
}

TEST_P(TransportAead, RefusesEveryTruncation) {
  for (std::size_t size = 0; size < packet_.size(); ++size) {
    const auto opened = open_packet(GetParam(), key_, ByteView(packet_).first(size));
    ASSERT_FALSE(opened) << size;
    EXPECT_EQ(opened.error(), size < 32 ? NoiseError::kTooShort : NoiseError::kBadTag) << size;
  }
}

TEST_P(TransportAead, RefusesAnotherKey) {
  const TransportKey other{testing::array_from_hex<32>(std::string(64, '6'))};
  EXPECT_FALSE(open_packet(GetParam(), other, packet_));
}

INSTANTIATE_TEST_SUITE_P(BothCiphers, TransportAead,
                         ::testing::Values(Cipher::kAes256Gcm, Cipher::kChaCha20Poly1305),
                         [](const auto& row) { return std::string(cipher_name(row.param)); });

}  // namespace
}  // namespace magnetar::handshake
