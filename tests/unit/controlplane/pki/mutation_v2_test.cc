// SPDX-License-Identifier: Apache-2.0
// Version 2 certificates cut short or with one bit changed: none of them may verify, as a file or
// as it came in a handshake.
#include <gtest/gtest.h>

#include "controlplane/pki/ca_pool.h"
#include "controlplane/pki/codec.h"
#include "controlplane/pki/codec_v2.h"
#include "controlplane/pki/pem.h"
#include "tests/support/vectors.h"

namespace magnetar::pki {
namespace {

using nlohmann::json;

class MutationV2 : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const json file = testing::load_vectors("certificates-v2.json");
    now_ = WallTime{std::chrono::seconds{file["verified_at"].get<std::int64_t>()}};
    const auto read = [](const json& row) {
      return certificates_from_pem(row["pem"].get<std::string>()).value().front();
    };
    for (const json& name : file["trusted"])
      ASSERT_TRUE(pool_.add(read(file["cas"][name.get<std::string>()])));
    for (const json& host : file["hosts"]) {
      if (host["label"] != GetParam()) continue;
      const Certificate certificate = read(host);
      good_ = encode(certificate);
      bare_ = encode_for_handshake(certificate);
      key_ = PublicKey::from(certificate.curve, certificate.public_key).value();
    }
    ASSERT_TRUE(verifies(good_)) << "the certificate to change is a good one";
    ASSERT_TRUE(verifies_from_handshake(bare_));
  }

  [[nodiscard]] bool verifies(ByteView der) const {
    const auto certificate = decode_v2(der);
    return certificate && pool_.verify(*certificate, now_, {}).has_value();
  }
  [[nodiscard]] bool verifies_from_handshake(ByteView der) const {
    const auto certificate = decode_v2_from_handshake(der, key_);
    return certificate && pool_.verify(*certificate, now_, {}).has_value();
  }

  CaPool pool_;
  WallTime now_{};
  Bytes good_;
  Bytes bare_;
  PublicKey key_;
};

TEST_P(MutationV2, NoTruncationVerifies) {
  for (std::size_t size = 0; size < good_.size(); ++size)
    EXPECT_FALSE(decode_v2(ByteView(good_).first(size))) << size;
  for (std::size_t size = 0; size < bare_.size(); ++size)
    EXPECT_FALSE(decode_v2_from_handshake(ByteView(bare_).first(size), key_)) << size;
}

TEST_P(MutationV2, NoFlippedBitVerifies) {
  Bytes changed = good_;
  for (std::size_t bit = 0; bit < good_.size() * 8; ++bit) {
    changed[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(verifies(changed)) << bit;
    changed[bit / 8] = good_[bit / 8];
  }
}

TEST_P(MutationV2, NoFlippedBitOfTheHandshakeFormVerifies) {
  Bytes changed = bare_;
  for (std::size_t bit = 0; bit < bare_.size() * 8; ++bit) {
    changed[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(verifies_from_handshake(changed)) << bit;
    changed[bit / 8] = bare_[bit / 8];
  }
}

TEST_P(MutationV2, NoFlippedBitOfTheNoiseKeyVerifies) {
  const PublicKey good = key_;
  for (std::size_t bit = 0; bit < good.view().size() * 8; ++bit) {
    key_.fill()[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(verifies_from_handshake(bare_)) << bit;
    key_ = good;
  }
}

INSTANTIATE_TEST_SUITE_P(FourCertificates, MutationV2,
                         ::testing::Values("v2-dual", "v2-many", "p256-v2", "restricted-ok"));

}  // namespace
}  // namespace magnetar::pki
