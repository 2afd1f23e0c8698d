// SPDX-License-Identifier: Apache-2.0
// The search for what a path carries, over paths of every size.
#include "controlplane/tunnel/path_mtu.h"

#include <array>
#include <functional>

#include <gtest/gtest.h>

namespace magnetar {
namespace {

using namespace std::chrono_literals;

// A peer behind a path that carries `carried` bytes, and answers at once.
struct Path {
  explicit Path(std::uint16_t what, std::uint16_t most = 1500, bool v4 = true)
      : carried(what), search(v4, most) {}

  void take(PathMtu::Step step) {
    while (step.probe) {
      ++probes;
      if (*step.probe > carried || !answers(*step.probe)) break;
      step = search.on_answer(*step.probe, now).value();
    }
    due = now + step.again;
  }
  void pass(Duration time, bool used = true) {
    for (const Instant end = now + time; due <= end;) {
      now = due;
      take(search.on_timer(now, used));
    }
  }

  std::uint16_t carried;
  PathMtu search;
  std::function<bool(std::uint16_t)> answers = [](std::uint16_t) { return true; };
  Instant now{};
  Instant due{};
  int probes = 0;
};

TEST(PathMtu, FindsWhatThePathCarriesToTheByte) {
  for (const bool v4 : {true, false}) {
    for (std::uint16_t carried = v4 ? PathMtu::kLeastIpv4 : PathMtu::kBase; carried <= 1500;
         ++carried) {
      Path path(carried, 1500, v4);
      path.pass(50s);
      ASSERT_EQ(path.search.mtu(), carried);
    }
  }
  for (const std::uint16_t carried : std::to_array<std::uint16_t>({1280, 1500, 4000, 8999, 9000})) {
    Path path(carried, 9000);
    path.pass(60s);
    EXPECT_EQ(path.search.mtu(), carried);
  }
}

TEST(PathMtu, AWidePathCostsOneProbe) {
  Path path(1500);
  path.pass(20s);
  EXPECT_EQ(path.probes, 1);
  EXPECT_EQ(path.search.mtu(), 1500);
}

TEST(PathMtu, IsLoweredWithinFiveSecondsToWhatNearlyEveryPathCarries) {
  Path path(1400);
  path.pass(5s);
  EXPECT_GE(path.search.mtu(), PathMtu::kBase);
  EXPECT_LE(path.search.mtu(), 1400);
}

TEST(PathMtu, SilenceLowersNothing) {
  Path path(0);
  path.pass(1h);
  EXPECT_EQ(path.search.mtu(), 1500);
  path.carried = 1400;  // the peer is back
  path.pass(90s);
  EXPECT_EQ(path.search.mtu(), 1400);
}

TEST(PathMtu, TwoLostProbesOfASizeLowerNothing) {
  Path path(1500);
  int seen = 0;
  path.answers = [&seen](std::uint16_t) { return ++seen % 3 == 0; };
  path.pass(1h);
  EXPECT_EQ(path.search.mtu(), 1500);
}

TEST(PathMtu, APathThatNarrowsIsNoticedWithinFortySeconds) {
  Path path(1500);
  path.pass(100s);
  path.carried = 1350;
  path.pass(40s);
  EXPECT_LE(path.search.mtu(), 1350);
  path.pass(60s);
  EXPECT_EQ(path.search.mtu(), 1350);
}

TEST(PathMtu, APathThatWidensIsNoticedWithinElevenMinutes) {
  Path path(1300);
  path.pass(60s);
  ASSERT_EQ(path.search.mtu(), 1300);
  path.carried = 1450;
  path.pass(11min);
  EXPECT_EQ(path.search.mtu(), 1450);
  path.carried = 1500;
  path.pass(11min);
  EXPECT_EQ(path.search.mtu(), 1500);
}

TEST(PathMtu, AnIdlePathIsNotAsked) {
  Path path(1500);
  path.pass(10s);
  const int before = path.probes;
  path.pass(1h, false);
  EXPECT_EQ(path.probes, before);
}

TEST(PathMtu, AnAnswerThatWasNotAskedForDoesNothing) {
  PathMtu search(true, 1500);
  EXPECT_FALSE(search.on_answer(1500, Instant{}));
  ASSERT_EQ(search.on_timer(Instant{}, true).probe, 1500);
  EXPECT_FALSE(search.on_answer(1280, Instant{}));
  EXPECT_EQ(search.mtu(), 1500);
  EXPECT_TRUE(search.on_answer(1500, Instant{}));
  EXPECT_FALSE(search.on_answer(1500, Instant{}));
}

TEST(PathMtu, APortThatCarriesNoMoreThanTheLeastIsLeftAlone) {
  Path path(0, 576);
  path.pass(1h);
  EXPECT_EQ(path.search.mtu(), 576);
}

}  // namespace
}  // namespace magnetar
