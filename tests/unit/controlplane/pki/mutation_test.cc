// SPDX-License-Identifier: Apache-2.0
// Certificates cut short or with one bit changed: none of them may verify. The one exception are
// the bits past the 32nd of an address word, which are cut off (wire.md section 4): what is left is
// the certificate as it was signed, under its own fingerprint.
#include <gtest/gtest.h>

#include "controlplane/pki/ca_pool.h"
#include "controlplane/pki/codec_v1.h"
#include "tests/support/mint.h"
#include "tests/support/vectors.h"

namespace magnetar::pki {
namespace {

using nlohmann::json;

class Mutation : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const json file = testing::load_vectors("certificates-v1.json");
    for (const auto& [name, ca] : file["cas"].items()) {
      const Bytes protobuf = testing::from_hex(ca["protobuf"].get<std::string>());
      ASSERT_TRUE(pool_.add(testing::decoded(protobuf)));
    }
    for (const json& host : file["hosts"])
      if (host["label"] == GetParam())
        good_ = testing::from_hex(host["protobuf"].get<std::string>());
    key_ = testing::decoded(good_).public_key;
    ASSERT_TRUE(verifies(good_)) << "the certificate to change is a good one";
    ASSERT_TRUE(verifies_from_handshake(handshake_form()));
  }

  [[nodiscard]] bool verifies(ByteView protobuf) const {
    const auto certificate = decode_v1(protobuf);
    return certificate && pool_.verify(*certificate, now_, {}).has_value();
  }
  [[nodiscard]] bool verifies_from_handshake(ByteView protobuf) const {
    const auto certificate = decode_v1_from_handshake(protobuf, std::span(key_).first<32>());
    return certificate && pool_.verify(*certificate, now_, {}).has_value();
  }
  [[nodiscard]] Bytes handshake_form() const {
    return encode_v1_for_handshake(testing::decoded(good_));
  }

  CaPool pool_;
  WallTime now_{std::chrono::seconds{1'750'000'000}};
  Bytes good_;
  Bytes key_;
};

TEST_P(Mutation, NoTruncationVerifies) {
  for (std::size_t size = 0; size < good_.size(); ++size)
    EXPECT_FALSE(verifies(ByteView(good_).first(size))) << size;
  const Bytes bare = handshake_form();
  for (std::size_t size = 0; size < bare.size(); ++size)
    EXPECT_FALSE(verifies_from_handshake(ByteView(bare).first(size))) << size;
}

TEST_P(Mutation, NoFlippedBitVerifies) {
  Bytes changed = good_;
  for (std::size_t bit = 0; bit < good_.size() * 8; ++bit) {
    changed[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_TRUE(!verifies(changed) || encode_v1(testing::decoded(changed)) == good_) << bit;
    changed[bit / 8] = good_[bit / 8];
  }
}

TEST_P(Mutation, NoFlippedBitOfTheHandshakeFormVerifies) {
  const Bytes bare = handshake_form();
  Bytes changed = bare;
  for (std::size_t bit = 0; bit < bare.size() * 8; ++bit) {
    changed[bit / 8] ^= std::byte{1} << (bit % 8);
    const auto certificate = decode_v1_from_handshake(changed, std::span(key_).first<32>());
    EXPECT_TRUE(!verifies_from_handshake(changed) || encode_v1(*certificate) == good_) << bit;
    changed[bit / 8] = bare[bit / 8];
  }
}

// Five bytes of seven bits: an address or mask of five bytes has three bits too many.
TEST_P(Mutation, OnlyBitsPastTheThirtySecondDoNotCount) {
  int without_effect = 0;
  Bytes changed = good_;
  for (std::size_t bit = 0; bit < good_.size() * 8; ++bit) {
    changed[bit / 8] ^= std::byte{1} << (bit % 8);
    if (verifies(changed)) {
      ++without_effect;
      EXPECT_EQ(good_[bit / 8] & std::byte{0xf0}, std::byte{0}) << "a fifth byte, of four bits";
      EXPECT_TRUE(bit % 8 >= 4 && bit % 8 <= 6) << bit;
    }
    changed[bit / 8] = good_[bit / 8];
  }
  const Certificate certificate = testing::decoded(good_);
  int long_words = 0;
  for (const auto* prefixes : {&certificate.networks, &certificate.unsafe_networks})
    for (const Prefix& prefix : *prefixes)
      long_words +=
          1 + (prefix.addr.v4_value() >> 28U != 0 ? 1 : 0);  // every mask, large addresses
  EXPECT_EQ(without_effect, 3 * long_words);
}

INSTANTIATE_TEST_SUITE_P(ThreeCertificates, Mutation,
                         ::testing::Values("good-initiator", "good-responder", "restricted-ok"));

}  // namespace
}  // namespace magnetar::pki
