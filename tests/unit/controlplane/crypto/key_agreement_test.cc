// SPDX-License-Identifier: Apache-2.0
#include "controlplane/crypto/key_agreement.h"

#include <gtest/gtest.h>

#include "tests/support/random.h"
#include "tests/support/vectors.h"

namespace magnetar::crypto {
namespace {

using testing::array_from_hex;
using testing::from_hex;
using testing::to_hex;

Secret<32> secret(std::string_view hex) { return Secret<32>(array_from_hex<32>(hex)); }

constexpr const char* kOwnP256 = "7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534";
constexpr const char* kTheirsP256 =
    "04700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287"
    "db71e509e3fd9b060ddb20ba5c51dcc5948d46fbf640dfe0441782cab85fa4ac";

TEST(KeyAgreement, GivesThePublishedResults) {
  const struct {
    const char* why;
    Curve curve;
    const char* own;
    const char* own_public;
    const char* theirs;
    const char* shared;
  } cases[] = {
      {"RFC 7748 section 6.1, Bob", Curve::k25519,
       "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
       "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
       "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
       "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"},
      {"NIST CAVS, ECC CDH on P-256, count 0", Curve::kP256, kOwnP256,
       "04ead218590119e8876b29146ff89ca61770c4edbbf97d38ce385ed281d8a6b230"
       "28af61281fd35e2fa7002523acc85a429cb06ee6648325389f59edfce1405141",
       kTheirsP256, "46fc62106420ff012e54a434fbdd2d25ccc5852060561e68040dd7778997bd7b"},
  };
  for (const auto& [why, curve, own, own_public, theirs, shared] : cases) {
    SCOPED_TRACE(why);
    const KeyAgreement& dh = key_agreement(curve);
    EXPECT_EQ(to_hex(dh.public_key_of(secret(own))), own_public);
    const auto agreed = dh.agree(secret(own), from_hex(theirs));
    ASSERT_TRUE(agreed);
    EXPECT_EQ(to_hex(agreed->reveal()), shared);
  }
}

TEST(KeyAgreement, BothSidesGetTheSame) {
  testing::SeededRandom random(1);
  for (const Curve curve : {Curve::k25519, Curve::kP256}) {
    const KeyAgreement& dh = key_agreement(curve);
    for (int i = 0; i < 20; ++i) {
      Secret<32> one;
      Secret<32> other;
      random.fill(one.fill());
      random.fill(other.fill());
      const auto here = dh.agree(one, dh.public_key_of(other));
      const auto there = dh.agree(other, dh.public_key_of(one));
      ASSERT_TRUE(here && there);
      EXPECT_TRUE(*here == *there);
    }
  }
}

TEST(KeyAgreement, RefusesKeysThatYieldNoSecret) {
  const std::string x(kTheirsP256 + 2, 64);
  const std::string y(kTheirsP256 + 66, 64);
  const struct {
    const char* why;
    Curve curve;
    std::string theirs;
  } cases[] = {
      {"X25519: zero, of low order", Curve::k25519, std::string(64, '0')},
      {"X25519: one, of low order", Curve::k25519, "01" + std::string(62, '0')},
      {"X25519: 31 bytes", Curve::k25519, std::string(62, '1')},
      {"X25519: a P-256 key", Curve::k25519, kTheirsP256},
      {"P-256: nothing", Curve::kP256, ""},
      {"P-256: not on the curve", Curve::kP256, "04" + x + x},
      {"P-256: all zero", Curve::kP256, std::string(130, '0')},
      {"P-256: 0, 0", Curve::kP256, "04" + std::string(128, '0')},
      {"P-256: X past the prime", Curve::kP256, "04" + std::string(64, 'f') + y},
      {"P-256: compressed", Curve::kP256, "02" + x},
      {"P-256: hybrid, which OpenSSL would take", Curve::kP256, "06" + x + y},
      {"P-256: the point at infinity", Curve::kP256, "00"},
      {"P-256: one byte short", Curve::kP256, std::string(kTheirsP256, 128)},
      {"P-256: one byte more", Curve::kP256, std::string(kTheirsP256) + "00"},
      {"P-256: an X25519 key", Curve::kP256, std::string(64, '1')},
  };
  for (const auto& [why, curve, theirs] : cases) {
    SCOPED_TRACE(why);
    EXPECT_FALSE(key_agreement(curve).agree(secret(kOwnP256), from_hex(theirs)));
  }
}

TEST(KeyAgreement, AP256PrivateKeyIsBelowTheOrderAndNotZero) {
  const struct {
    const char* why;
    const char* key;
    bool good;
  } cases[] = {
      {"zero", "0000000000000000000000000000000000000000000000000000000000000000", false},
      {"one", "0000000000000000000000000000000000000000000000000000000000000001", true},
      {"the order less one", "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550",
       true},
      {"the order", "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", false},
      {"all ones", "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", false},
  };
  for (const auto& [why, key, good] : cases) {
    SCOPED_TRACE(why);
    EXPECT_EQ(p256().is_private_key(secret(key)), good);
    EXPECT_TRUE(x25519().is_private_key(secret(key)));
  }
}

TEST(PublicKey, IsAsLongAsItsCurveSays) {
  EXPECT_TRUE(PublicKey::from(Curve::k25519, Bytes(32)));
  EXPECT_FALSE(PublicKey::from(Curve::k25519, Bytes(65)));
  EXPECT_TRUE(PublicKey::from(Curve::kP256, Bytes(65)));
  EXPECT_FALSE(PublicKey::from(Curve::kP256, Bytes(64)));
  EXPECT_FALSE(PublicKey::from(Curve::kP256, {}));
  EXPECT_EQ(PublicKey(Curve::kP256).view().size(), 65U);
  EXPECT_FALSE(PublicKey(Curve::k25519) == PublicKey(Curve::kP256));
}

}  // namespace
}  // namespace magnetar::crypto
