// SPDX-License-Identifier: Apache-2.0
// A remembered signature saves the curve operation and nothing else.
#include "controlplane/pki/verifier.h"

#include <gtest/gtest.h>

#include "tests/support/mint.h"

namespace magnetar::pki {
namespace {

using namespace testing;

constexpr WallTime kNow{std::chrono::seconds(1'750'000'000)};

struct Network {
  SigningKey key{0x11};
  Certificate ca = decoded(seal(ca_details(key), key));
  CaPool pool;
  Network() { EXPECT_TRUE(pool.add(ca)); }
  [[nodiscard]] Certificate host(int number) const {
    return decoded(seal(
        host_details(ca, "host-" + std::to_string(number), "10.42.0.1/16", Bytes(32, std::byte{1})),
        key));
  }
};

TEST(Verifier, ARememberedCertificateIsStillCheckedForAllButItsSignature) {
  Network network;
  const Certificate host = network.host(1);
  Verifier verifier;
  ASSERT_TRUE(verifier.verify(host, network.pool, kNow, {}));
  EXPECT_EQ(verifier.remembered(), 1U);

  const struct {
    const char* why;
    Result<void, VerifyError> verified;
    VerifyError error;
  } rows[] = {
      {"the blocklist counts from now on",
       verifier.verify(host, network.pool, kNow, {host.fingerprint}), VerifyError::kBlocked},
      {"so does the clock", verifier.verify(host, network.pool, host.not_after + Duration{1}, {}),
       VerifyError::kExpired},
      {"and a CA that is no longer trusted", verifier.verify(host, CaPool{}, kNow, {}),
       VerifyError::kUnknownIssuer},
  };
  for (const auto& [why, verified, error] : rows) {
    SCOPED_TRACE(why);
    ASSERT_FALSE(verified);
    EXPECT_EQ(verified.error(), error);
  }
  EXPECT_TRUE(verifier.verify(host, network.pool, kNow, {}));
}

TEST(Verifier, OnlyAGoodSignatureIsRemembered) {
  Network network;
  Certificate host = network.host(1);
  host.signature[0] ^= std::byte{1};
  host.fingerprint.bytes[0] ^= std::byte{1};
  Verifier verifier;
  for (int i = 0; i < 2; ++i) {
    const auto verified = verifier.verify(host, network.pool, kNow, {});
    ASSERT_FALSE(verified);
    EXPECT_EQ(verified.error(), VerifyError::kBadSignature);
  }
  EXPECT_EQ(verifier.remembered(), 0U);
}

TEST(Verifier, TheSignatureOfAKnownOneIsNotAskedAgain) {
  Network network;
  Certificate host = network.host(1);
  Verifier verifier;
  ASSERT_TRUE(verifier.verify(host, network.pool, kNow, {}));
  host.signature[0] ^= std::byte{1};  // its fingerprint would have changed, too
  EXPECT_TRUE(verifier.verify(host, network.pool, kNow, {}));
}

TEST(LruMap, TheLeastRecentlyUsedGoes) {
  LruMap<int, char> map(2);
  map.put(1, 'a');
  map.put(2, 'b');
  ASSERT_NE(map.find(1), nullptr);
  map.put(3, 'c');
  EXPECT_EQ(map.find(2), nullptr);
  EXPECT_NE(map.find(1), nullptr);
  LruMap<int, char> copy = map;
  copy.put(4, 'd');
  EXPECT_EQ(copy.find(3), nullptr) << "the order is copied, too";
  EXPECT_NE(map.find(3), nullptr);
  map.erase(3);
  EXPECT_EQ(map.size(), 1U);
}

}  // namespace
}  // namespace magnetar::pki
