// SPDX-License-Identifier: Apache-2.0
// Handshakes a second, shared out by prefix.
#include "controlplane/tunnel/handshake_limiter.h"

#include <gtest/gtest.h>

#include "tests/support/random.h"

namespace magnetar {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1000s};
IpAddr ip(std::string_view text) { return IpAddr::parse(text).value(); }

struct Limited {
  testing::SeededRandom random{1};
  HandshakeLimiter limiter;
  explicit Limited(std::uint32_t max) : limiter(max, random) {}
  // Over a second, one attempt a millisecond from the source that `next` gives.
  template <typename Next>
  int admitted(Instant from, Next&& next) {
    int count = 0;
    for (int i = 0; i < 1000; ++i)
      count += limiter.admit(next(i), from + std::chrono::milliseconds(i)) ? 1 : 0;
    return count;
  }
};

IpAddr anywhere(int i) { return IpAddr::v4(0x0b000000U + static_cast<std::uint32_t>(i) * 7919U); }

TEST(HandshakeLimiter, NoneByDefault) {
  Limited limited(0);
  EXPECT_EQ(limited.admitted(kStart, [](int) { return ip("192.0.2.1"); }), 1000);
}

TEST(HandshakeLimiter, OnePrefixGetsAnEighthAndLeavesTheRest) {
  Limited limited(80);
  const auto flood = [](int i) {
    return IpAddr::v4(0xc0000200U + static_cast<std::uint32_t>(i) % 256U);
  };
  const int got = limited.admitted(kStart, flood);
  EXPECT_GE(got, 10);
  EXPECT_LE(got, 20) << "a second's worth at once and a second's worth over the second";
  EXPECT_TRUE(limited.limiter.admit(ip("198.51.100.1"), kStart + 999ms));
  EXPECT_FALSE(limited.limiter.admit(ip("192.0.2.77"), kStart + 999ms)) << "the same /24";
  EXPECT_TRUE(limited.limiter.admit(ip("192.0.3.77"), kStart + 999ms)) << "the next /24";
}

TEST(HandshakeLimiter, Ipv6CountsBy48) {
  Limited limited(8);
  EXPECT_TRUE(limited.limiter.admit(ip("2001:db8:1::1"), kStart));
  EXPECT_FALSE(limited.limiter.admit(ip("2001:db8:1:ffff::2"), kStart));
  EXPECT_TRUE(limited.limiter.admit(ip("2001:db8:2::1"), kStart));
}

TEST(HandshakeLimiter, AFloodFromEverywhereLeavesPlaceForThoseWhoWereHere) {
  Limited limited(80);
  limited.limiter.vouch_for(ip("203.0.113.9"));
  const int got = limited.admitted(kStart, anywhere);
  EXPECT_LE(got, 2 * 60) << "three quarters are for everybody";
  EXPECT_GE(got, 60);
  const Instant later = kStart + 1s;
  EXPECT_TRUE(limited.limiter.admit(ip("203.0.113.9"), later));
  EXPECT_TRUE(limited.limiter.admit(ip("203.0.113.10"), later)) << "of the same prefix";
}

TEST(HandshakeLimiter, TheWholeIsBounded) {
  Limited limited(80);
  for (int i = 0; i < 1000; ++i) limited.limiter.vouch_for(anywhere(i));
  EXPECT_LE(limited.admitted(kStart, anywhere), 2 * 80);
  int second = 0;
  for (int i = 0; i < 1000; ++i)
    second +=
        limited.limiter.admit(anywhere(i), kStart + 1s + std::chrono::milliseconds(i)) ? 1 : 0;
  EXPECT_LE(second, 81) << "once what was saved up is spent";
}

}  // namespace
}  // namespace magnetar
