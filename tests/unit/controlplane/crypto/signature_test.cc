// SPDX-License-Identifier: Apache-2.0
#include "controlplane/crypto/signature.h"

#include <gtest/gtest.h>

#include "tests/support/random.h"
#include "tests/support/vectors.h"

namespace magnetar::crypto {
namespace {

using testing::from_hex;
using testing::to_hex;

// RFC 6979 appendix A.2.5, SHA-256, message "sample". Its s is high.
const std::string kPublic =
    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
const std::string kR = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716";
const std::string kHighS = "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
const std::string kLowS = "0834e36ad29a83bf2bc9385e491d6099c8fdf9d1ed67aa7ea5f51f93782857a9";
const std::string kHigh = "3046022100" + kR + "022100" + kHighS;
const std::string kLow = "3045022100" + kR + "0220" + kLowS;

bool p256_verifies(const std::string& signature, std::string_view message = "sample") {
  return is_signed_by(Curve::kP256, from_hex(kPublic), as_bytes(message), from_hex(signature));
}

TEST(Ecdsa, TakesBothFormsOfS) {
  EXPECT_TRUE(p256_verifies(kHigh));
  EXPECT_TRUE(p256_verifies(kLow));
  EXPECT_FALSE(p256_verifies(kHigh, "Sample"));
  EXPECT_FALSE(is_low_s(from_hex(kHigh)));
  EXPECT_TRUE(is_low_s(from_hex(kLow)));
}

TEST(Ecdsa, KnowsTheOtherForm) {
  EXPECT_EQ(to_hex(other_form(from_hex(kHigh)).value()), kLow);
  EXPECT_EQ(to_hex(other_form(from_hex(kLow)).value()), kHigh);
}

TEST(Ecdsa, TheMiddleIsLow) {
  const std::string half = "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8";
  const std::string above = "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a9";
  EXPECT_TRUE(is_low_s(from_hex("30250201010220" + half)));
  EXPECT_FALSE(is_low_s(from_hex("30250201010220" + above)));
}

// A third spelling would be a third fingerprint, which no blocklist knows.
TEST(Ecdsa, TakesOneEncodingOnly) {
  const std::string order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
  const struct {
    const char* why;
    std::string signature;
  } cases[] = {
      {"nothing", ""},
      {"a long form of the length", "308145022100" + kR + "0220" + kLowS},
      {"no fixed length", "3080022100" + kR + "0220" + kLowS + "0000"},
      {"s with a zero too many", "3046022100" + kR + "022100" + kLowS},
      {"r negative", "30440220" + kR + "0220" + kLowS},
      {"a byte behind it", kLow + "00"},
      {"a byte behind it, inside", "3046022100" + kR + "0220" + kLowS + "00"},
      {"a third number", "3048022100" + kR + "0220" + kLowS + "020100"},
      {"one number", "3023022100" + kR},
      {"r is 0", "30250201000220" + kLowS},
      {"s is 0", "3026022100" + kR + "020100"},
      {"s is the order", "3046022100" + kR + "022100" + order},
      {"s is low s plus the order", "3046022100" + kR + "022101" + kLowS},
      {"cut short", kLow.substr(0, kLow.size() - 2)},
      {"of 64 bytes, not in DER", kR + kLowS},
  };
  for (const auto& [why, signature] : cases) {
    SCOPED_TRACE(why);
    EXPECT_FALSE(p256_verifies(signature));
    EXPECT_FALSE(other_form(from_hex(signature)));
    EXPECT_FALSE(is_low_s(from_hex(signature)));
  }
}

TEST(Ecdsa, NoFlippedBitVerifies) {
  const Bytes good = from_hex(kLow);
  Bytes changed = good;
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    changed[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(is_signed_by(Curve::kP256, from_hex(kPublic), as_bytes("sample"), changed)) << bit;
    changed[bit / 8] = good[bit / 8];
  }
}

TEST(SigningKey, WhatItSignsVerifiesWithItsPublicKeyOnly) {
  testing::SeededRandom random(7);
  for (const Curve curve : {Curve::k25519, Curve::kP256}) {
    SCOPED_TRACE(curve_name(curve));
    const SigningKey key = SigningKey::generate(curve, random);
    const SigningKey other = SigningKey::generate(curve, random);
    EXPECT_EQ(key.curve(), curve);
    for (int i = 0; i < 50; ++i) {
      const std::string message = "message " + std::to_string(i);
      const Bytes signature = key.sign(as_bytes(message));
      EXPECT_TRUE(is_signed_by(curve, key.public_key(), as_bytes(message), signature));
      EXPECT_FALSE(is_signed_by(curve, key.public_key(), as_bytes("another"), signature));
      EXPECT_FALSE(is_signed_by(curve, other.public_key(), as_bytes(message), signature));
      EXPECT_EQ(is_low_s(signature), curve == Curve::kP256);
    }
  }
}

TEST(SigningKey, ComesBackFromItsBytes) {
  testing::SeededRandom random(8);
  for (const Curve curve : {Curve::k25519, Curve::kP256}) {
    const SigningKey key = SigningKey::generate(curve, random);
    const auto again = SigningKey::from(curve, key.reveal());
    ASSERT_TRUE(again);
    EXPECT_EQ(again->public_key(), key.public_key());
  }
}

TEST(SigningKey, RefusesWhatIsNoKey) {
  testing::SeededRandom random(9);
  Bytes mixed = to_vector(SigningKey::generate(Curve::k25519, random).reveal());
  mixed.back() ^= std::byte{1};
  EXPECT_FALSE(SigningKey::from(Curve::k25519, mixed)) << "a public key of another seed";
  EXPECT_FALSE(SigningKey::from(Curve::k25519, Bytes(32, std::byte{1}))) << "the seed alone";
  EXPECT_FALSE(SigningKey::from(Curve::k25519, {}));
  EXPECT_FALSE(SigningKey::from(Curve::kP256, Bytes(32))) << "zero";
  EXPECT_FALSE(SigningKey::from(Curve::kP256, Bytes(32, std::byte{0xff}))) << "past the order";
  EXPECT_FALSE(SigningKey::from(Curve::kP256, Bytes(31, std::byte{1})));
}

TEST(Signature, OfAKeyOfTheWrongLengthIsNone) {
  for (const std::size_t size : {0U, 31U, 32U, 33U, 64U, 65U, 66U}) {
    const Bytes key(size, std::byte{4});
    EXPECT_FALSE(is_signed_by(Curve::k25519, key, {}, Bytes(64, std::byte{1}))) << size;
    EXPECT_FALSE(is_signed_by(Curve::kP256, key, {}, from_hex(kLow))) << size;
  }
}

}  // namespace
}  // namespace magnetar::crypto
