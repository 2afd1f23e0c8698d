// SPDX-License-Identifier: Apache-2.0
// Case 2 against both dialects of Nebula: before 1.7 the loser of a race stands down, from 1.7 on
// both attempts are answered. Either way nothing that waited is lost and one tunnel remains.
#include <algorithm>
#include <random>
#include <utility>

#include <gtest/gtest.h>

#include "tests/sim/world.h"

namespace magnetar::sim {
namespace {

using namespace std::chrono_literals;

struct Race {
  World world;
  Node& us;
  Nebula& them;

  Race(std::uint32_t seed, bool we_are_higher, bool old_dialect)
      : world(seed),
        us(world.add_node("us", we_are_higher ? "10.42.0.9" : "10.42.0.1")),
        them(old_dialect ? world.add_old("them", "10.42.0.5")
                         : world.add_new("them", "10.42.0.5")) {
    world.know_each_other(us, them);
  }
  // Handshake packets in any order, some of them twice; the rest in order and after them, since
  // what overtakes the stage 2 in front of it cannot be read by anybody.
  void mix(Duration time) {
    std::mt19937_64& engine = world.engine();
    world.hold();
    for (Duration done{}; done < time; done += 10ms) {
      world.run_for(10ms);
      for (std::size_t i = 0; i < world.held.size(); ++i)
        std::swap(world.held[i], world.held[engine() % world.held.size()]);
      std::stable_partition(world.held.begin(), world.held.end(), is_handshake);
      if (engine() % 2 == 0) continue;  // they wait for each other
      std::deque<Datagram> now = std::exchange(world.held, {});
      for (const Datagram& one : now) {
        world.deliver(one);
        if (is_handshake(one) && engine() % 3 == 0) world.held.push_back(one);
      }
    }
    world.release();
    for (const Datagram& one : std::exchange(world.held, {})) world.deliver(one);
  }
  static bool is_handshake(const Datagram& one) {
    return wire::parse_header(one.bytes)->type == wire::MessageType::kHandshake;
  }
  [[nodiscard]] bool arrived(const Host& at, const std::string& text) const {
    return std::ranges::count(at.delivered, text) == 1;
  }
};

TEST(SimDialects, ARaceLosesNoPacketThatWaited) {
  for (const bool old_dialect : {true, false}) {
    for (const bool we_are_higher : {true, false}) {
      for (std::uint32_t seed = 1; seed <= 200; ++seed) {
        SCOPED_TRACE((old_dialect ? "old, " : "new, ") +
                     std::string(we_are_higher ? "we are higher" : "we are lower") + ", seed " +
                     std::to_string(seed));
        Race race(seed, we_are_higher, old_dialect);
        race.world.link({.latency = 5ms});
        race.us.send(race.them.overlay(), "from us");
        race.world.run_for(Duration(std::chrono::milliseconds(seed % 40)));
        race.them.send(race.us.overlay(), "from them");
        race.mix(2s);
        race.world.run_for(8s);
        ASSERT_TRUE(race.arrived(race.them, "from us"));
        ASSERT_TRUE(race.arrived(race.us, "from them"));

        // With traffic both ways one tunnel remains, and it works at every step.
        for (int i = 0; i < 60; ++i) {
          const std::string text = "step " + std::to_string(i);
          race.us.send(race.them.overlay(), text);
          race.them.send(race.us.overlay(), text);
          race.world.run_for(1s);
          ASSERT_TRUE(race.arrived(race.them, text)) << i;
          ASSERT_TRUE(race.arrived(race.us, text)) << i;
        }
        ASSERT_EQ(race.us.sessions().size(), 1U);
        ASSERT_TRUE(consistent(race.us, race.them));
      }
    }
  }
}

// Two tunnels after a race, of which newer Nebula prefers now one and now the other, and closes
// silently what it does not hear of.
TEST(SimDialects, SparseTrafficAllArrivesAndSilenceLeavesTwoEnds) {
  int with_two = 0;
  for (std::uint32_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    Race race(seed, seed % 2 == 0, false);
    race.us.send(race.them.overlay(), "from us");
    race.them.send(race.us.overlay(), "from them");
    race.world.run_for(1s);
    with_two += race.us.sessions().size() == 2 ? 1 : 0;
    const auto chance = [&](unsigned n) { return race.world.engine()() % n == 0; };
    for (int i = 0; i < 120; ++i) {
      const std::string text = "step " + std::to_string(i);
      const bool there = chance(4 + seed % 8);
      const bool back = chance(4);
      if (there) race.us.send(race.them.overlay(), text);
      if (back) race.them.send(race.us.overlay(), text);
      race.world.run_for(1s);
      ASSERT_EQ(race.arrived(race.them, text), there) << i;
      ASSERT_EQ(race.arrived(race.us, text), back) << i;
    }
    race.world.run_for(60s);
    ASSERT_TRUE(race.us.sessions().empty() || consistent(race.us, race.them));
    ASSERT_LE(race.us.sessions().size(), 1U);
    race.them.send(race.us.overlay(), "after the silence");
    race.world.run_for(1s);
    ASSERT_TRUE(race.arrived(race.us, "after the silence"));
  }
  EXPECT_GT(with_two, 100);
}

TEST(SimDialects, ALostStage1OfTheLoserIsAnsweredWhenItComesAgain) {
  for (const bool old_dialect : {true, false}) {
    SCOPED_TRACE(old_dialect);
    Race race(1, true, old_dialect);
    race.world.hold();
    race.us.send(race.them.overlay(), "from us");
    race.them.send(race.us.overlay(), "from them");
    while (race.world.held.size() < 2) ASSERT_TRUE(race.world.step());
    const Datagram ours = race.world.take_for(race.them);
    const Datagram theirs = race.world.take_for(race.us);
    race.world.deliver(theirs);
    EXPECT_EQ(race.us.refused("race_won"), 1);
    race.world.deliver(ours);
    race.world.deliver(race.world.take_for(race.us));  // stage 2: our tunnel stands
    ASSERT_EQ(race.us.sessions().size(), 1U);
    race.world.deliver(theirs);  // and again
    race.world.release();
    race.world.deliver_held();
    race.world.run_for(5s);
    EXPECT_TRUE(race.arrived(race.us, "from them"));
    EXPECT_TRUE(tunnel_works(race.world, race.us, race.them));
  }
}

}  // namespace
}  // namespace magnetar::sim
