// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/recv_error_limiter.h"

#include <gtest/gtest.h>

#include "tests/support/random.h"

namespace magnetar {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1000s};

int admitted(RecvErrorLimiter& limiter, const IpAddr& source, Instant now, int tries) {
  int count = 0;
  for (int i = 0; i < tries; ++i) count += limiter.admit(source, now) ? 1 : 0;
  return count;
}

TEST(RecvErrorLimiter, OneSourceGetsItsBurstThenItsRate) {
  testing::SeededRandom random(1);
  RecvErrorLimiter limiter(random);
  const IpAddr source = IpAddr::v4(0xc0000201);
  EXPECT_EQ(admitted(limiter, source, kStart, 100), 10);
  EXPECT_EQ(admitted(limiter, source, kStart + 99ms, 100), 0);
  EXPECT_EQ(admitted(limiter, source, kStart + 100ms, 100), 1);
  EXPECT_EQ(admitted(limiter, source, kStart + 600ms, 100), 5);
  EXPECT_EQ(admitted(limiter, source, kStart + 100s, 100), 10) << "no more than a full bucket";
}

TEST(RecvErrorLimiter, AllSourcesTogetherGetTheGlobalRate) {
  testing::SeededRandom random(1);
  RecvErrorLimiter limiter(random);
  int first = 0;
  int next = 0;
  for (std::uint32_t i = 0; i < 5000; ++i)
    first += limiter.admit(IpAddr::v4(0x0a000000 + i), kStart) ? 1 : 0;
  for (std::uint32_t i = 0; i < 5000; ++i)
    next += limiter.admit(IpAddr::v4(0x0b000000 + i), kStart + 50ms) ? 1 : 0;
  EXPECT_EQ(first, 100);
  EXPECT_EQ(next, 50);
}

TEST(RecvErrorLimiter, ASourceThatIsRefusedCostsTheOthersNothing) {
  testing::SeededRandom random(1);
  RecvErrorLimiter limiter(random);
  EXPECT_EQ(admitted(limiter, IpAddr::v4(0xc0000201), kStart, 100000), 10);
  int others = 0;
  for (std::uint32_t i = 0; i < 90; ++i)
    others += limiter.admit(IpAddr::v4(0x0a000000 + i), kStart) ? 1 : 0;
  EXPECT_EQ(others, 90);
}

}  // namespace
}  // namespace magnetar
