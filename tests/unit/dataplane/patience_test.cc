// SPDX-License-Identifier: Apache-2.0
// How long a worker polls on, by how often packets come.
#include "dataplane/patience.h"

#include <gtest/gtest.h>

namespace magnetar {
namespace {

constexpr std::uint64_t kTicksAUs = 2;

class PatienceTest : public ::testing::Test {
 protected:
  void packets(int count, std::uint64_t gap_us) {
    for (int i = 0; i < count; ++i) patience_.packets_at(now_ += gap_us * kTicksAUs);
  }
  bool over_after(std::uint64_t us) const { return patience_.over(now_ + us * kTicksAUs); }

  std::uint64_t now_ = 1'000'000;
  Patience patience_{1'000'000 * kTicksAUs, now_};
};

TEST_F(PatienceTest, IsShortAtFirstAndAfterWhatComesSeldom) {
  EXPECT_FALSE(over_after(Patience::kLeastUs));
  EXPECT_TRUE(over_after(Patience::kLeastUs + 1));
  packets(20, Patience::kMostUs + 1);
  EXPECT_TRUE(over_after(Patience::kLeastUs + 1));
}

TEST_F(PatienceTest, GrowsUntilPacketsThatComeOftenFindTheWorkerAwake) {
  packets(1, 2'000);
  EXPECT_TRUE(over_after(2'000));  // two packets are no stream
  packets(5, 2'000);
  EXPECT_FALSE(over_after(2'000));
  packets(20, 2'000);
  EXPECT_FALSE(over_after(Patience::kMostUs));
  EXPECT_TRUE(over_after(Patience::kMostUs + 1));
}

TEST_F(PatienceTest, DoesNotGrowByABurst) {
  packets(1'000, 1);
  EXPECT_TRUE(over_after(Patience::kLeastUs + 1));
}

TEST_F(PatienceTest, EndsWithTheStream) {
  packets(20, 2'000);
  packets(1, Patience::kMostUs + 1);
  EXPECT_TRUE(over_after(Patience::kLeastUs + 1));
}

TEST_F(PatienceTest, WokenForWhatIsNotThereYetItPollsOnAsLong) {
  patience_.woken_at(now_ + 10'000 * kTicksAUs);
  EXPECT_FALSE(over_after(10'000 + Patience::kLeastUs));
  EXPECT_TRUE(over_after(10'000 + Patience::kLeastUs + 1));
}

}  // namespace
}  // namespace magnetar
