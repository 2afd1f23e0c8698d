// SPDX-License-Identifier: Apache-2.0
#include "dataplane/tables/replay_window.h"

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace magnetar {
namespace {

struct ReplayCase {
  const char* why;
  std::vector<std::uint64_t> seen;
  std::uint64_t next;
  ReplayVerdict expected;
};

TEST(ReplayWindow, DecidesOnTheNextPacket) {
  constexpr auto kSize = ReplayWindow::kSize;
  const ReplayCase cases[] = {
      {"0 is never sent", {}, 0, ReplayVerdict::kReplayed},
      {"1 was stage 1", {}, 1, ReplayVerdict::kReplayed},
      {"2 was stage 2", {}, 2, ReplayVerdict::kReplayed},
      {"3 is the first packet", {}, 3, ReplayVerdict::kFresh},
      {"late, inside the window", {3, 100}, 50, ReplayVerdict::kFresh},
      {"the highest again", {3, 100}, 100, ReplayVerdict::kReplayed},
      {"an older one again", {3, 50, 100}, 50, ReplayVerdict::kReplayed},
      {"1,024 late, as peers' windows allow", {5000}, 5000 - 1024, ReplayVerdict::kFresh},
      {"the last word of the window", {kSize + 63}, 64, ReplayVerdict::kFresh},
      {"one before it", {kSize + 63}, 63, ReplayVerdict::kTooOld},
      {"the first packet, very late", {kSize - 1}, 3, ReplayVerdict::kFresh},
      {"far behind", {1'000'000}, 3, ReplayVerdict::kTooOld},
      {"a far jump empties the window", {3, 1'000'000}, 999'000, ReplayVerdict::kFresh},
      {"a jump of exactly the window", {3, 3 + kSize}, 2 + kSize, ReplayVerdict::kFresh},
      {"near the end of the numbers", {~0ULL - 5}, ~0ULL, ReplayVerdict::kFresh},
  };
  for (const auto& [why, seen, next, expected] : cases) {
    SCOPED_TRACE(why);
    ReplayWindow window;
    for (const auto n : seen) EXPECT_EQ(window.commit(Counter{n}), ReplayVerdict::kFresh);
    EXPECT_EQ(window.check(Counter{next}), expected);
    EXPECT_EQ(window.commit(Counter{next}), expected);
  }
}

TEST(ReplayWindow, CheckMarksNothing) {
  ReplayWindow window;
  EXPECT_EQ(window.check(Counter{1'000'000}), ReplayVerdict::kFresh);
  EXPECT_EQ(window.highest(), Counter{2});
  EXPECT_EQ(window.commit(Counter{3}), ReplayVerdict::kFresh);
}

TEST(ReplayWindow, CommitsInARowDecideAsOneByOne) {
  std::mt19937_64 random(7);
  ReplayWindow one_by_one;
  ReplayWindow in_rows;
  std::uint64_t newest = 3;
  for (int row = 0; row < 20'000; ++row) {
    {
      ReplayWindow::Commits commits(in_rows);
      for (std::uint64_t left = random() % 64; left > 0; --left) {
        newest += random() % 8 == 0 ? random() % 200 : 1;
        const std::uint64_t behind = random() % 4 == 0 ? random() % (2 * ReplayWindow::kSize) : 0;
        const Counter counter{newest - std::min(newest, behind)};
        ASSERT_EQ(commits.commit(counter), one_by_one.commit(counter)) << counter.raw();
      }
    }
    ASSERT_EQ(in_rows.highest(), one_by_one.highest());
    for (std::uint64_t back = 0; back < std::min(newest, ReplayWindow::kSize + 64); back += 7)
      ASSERT_EQ(in_rows.check(Counter{newest - back}), one_by_one.check(Counter{newest - back}));
  }
}

TEST(ReplayWindow, AgreesWithASetOfNumbers) {
  std::mt19937_64 random(7);
  ReplayWindow window;
  std::set<std::uint64_t> seen{0, 1, 2};
  std::uint64_t highest = 2;
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t back = random() % 3000;
    const std::uint64_t n = highest + 40 > back ? highest + 40 - back : 3;
    const ReplayVerdict verdict = window.commit(Counter{n});
    if (verdict == ReplayVerdict::kTooOld) {
      EXPECT_GT(highest - n, ReplayWindow::kSize - 64);
      continue;
    }
    EXPECT_EQ(verdict == ReplayVerdict::kFresh, seen.insert(n).second) << n;
    highest = std::max(highest, n);
  }
}

}  // namespace
}  // namespace magnetar
