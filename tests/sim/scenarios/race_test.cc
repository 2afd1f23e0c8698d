// SPDX-License-Identifier: Apache-2.0
// Case 2, the stage-1 race, and unclean restarts: scenarios S16 to S19 and S26, by the rule of one
// tunnel (the higher overlay address stays the initiator).
#include <algorithm>

#include <gtest/gtest.h>

#include "tests/sim/world.h"

namespace magnetar::sim {
namespace {

using namespace std::chrono_literals;
using Strings = std::vector<std::string>;

struct Race {
  World world;
  Node& me = world.add_node("me", "10.42.0.1");
  Node& them = world.add_node("them", "10.42.0.2");
  Race() { world.know_each_other(me, them); }
};

TEST(SimRace, S17BothStartAtOnceInEitherOrderOfDelivery) {
  for (const bool mine_first : {true, false}) {
    SCOPED_TRACE(mine_first);
    Race race;
    race.world.hold();
    race.me.send(race.them.overlay(), "Hi from me");
    race.them.send(race.me.overlay(), "Hi from them");
    const Datagram mine = race.world.take_for(race.them);
    const Datagram theirs = race.world.take_for(race.me);
    if (mine_first) race.world.deliver(mine);
    race.world.deliver(theirs);
    if (!mine_first) race.world.deliver(mine);
    ASSERT_EQ(race.them.refused("race_won"), 1);
    race.world.deliver_held();
    EXPECT_EQ(race.them.delivered, Strings{"Hi from me"});
    EXPECT_EQ(race.me.delivered, Strings{"Hi from them"});
    EXPECT_TRUE(consistent(race.me, race.them));
    EXPECT_EQ(race.me.sessions().size() + race.them.sessions().size(), 2U);
    race.world.release();
    EXPECT_TRUE(tunnel_works(race.world, race.me, race.them));
    race.world.run_for(10s);
    EXPECT_EQ(race.me.sessions().size() + race.them.sessions().size(), 2U);
  }
}

TEST(SimRace, S16RepeatedStage1OfTheWinnerIsAnsweredFromTheCache) {
  Race race;
  race.world.hold();
  race.me.send(race.them.overlay(), "Hi from me");
  race.them.send(race.me.overlay(), "Hi from them");
  const Datagram mine = race.world.take_for(race.them);
  const Datagram theirs = race.world.take_for(race.me);
  race.world.deliver(mine);
  race.world.deliver(theirs);
  const Datagram stage_2 = race.world.take_for(race.them);
  race.world.deliver(theirs);
  race.world.deliver(mine);
  race.world.deliver(stage_2);
  race.world.deliver(theirs);
  EXPECT_TRUE(consistent(race.me, race.them));
  EXPECT_EQ(race.me.sessions().size(), 1U);
  race.world.release();
  race.world.deliver_held();
  EXPECT_TRUE(tunnel_works(race.world, race.me, race.them));
}

TEST(SimRace, S18LowerSideRestarts) {
  Race race;
  race.me.send(race.them.overlay(), "before");
  race.world.run_for(1s);
  race.me.restart();
  race.me.send(race.them.overlay(), "after");
  race.world.run_for(1s);
  EXPECT_EQ(race.them.delivered, (Strings{"before", "after"}));
  EXPECT_TRUE(consistent(race.me, race.them));
  EXPECT_TRUE(tunnel_works(race.world, race.me, race.them));
}

TEST(SimRace, S19HigherSideRestarts) {
  Race race;
  race.me.send(race.them.overlay(), "before");
  race.world.run_for(1s);
  race.them.restart();
  race.them.send(race.me.overlay(), "after");
  race.world.run_for(1s);
  EXPECT_EQ(race.me.delivered, Strings{"after"});
  EXPECT_TRUE(consistent(race.me, race.them));
  EXPECT_TRUE(tunnel_works(race.world, race.me, race.them));
}

TEST(SimRace, ARecvErrorTellsOfARestart) {
  Race race;
  ASSERT_TRUE(tunnel_works(race.world, race.me, race.them));
  race.them.restart();
  race.me.send(race.them.overlay(), "lost");
  race.world.run_for(1s);
  EXPECT_TRUE(race.me.sessions().empty());
  EXPECT_TRUE(tunnel_works(race.world, race.them, race.me));
}

TEST(SimRace, S26CloseReachesBothAndABareHeaderClosesNothing) {
  Race race;
  ASSERT_TRUE(tunnel_works(race.world, race.me, race.them));
  race.me.close(race.them.overlay());
  race.world.run_for(1s);
  EXPECT_TRUE(race.me.sessions().empty());
  EXPECT_TRUE(race.them.sessions().empty());

  ASSERT_TRUE(tunnel_works(race.world, race.me, race.them));
  Datagram bare{race.me.underlay(), race.them.underlay(), Bytes(wire::Header::kSize)};
  const std::uint32_t index = race.them.session_to(race.me.overlay())->facts.local.raw();
  wire::write_header(
      std::span(bare.bytes).first<wire::Header::kSize>(),
      {.type = wire::MessageType::kCloseTunnel, .index = index, .counter = Counter{50}});
  race.world.deliver(bare);
  race.world.run_for(4s);
  EXPECT_TRUE(consistent(race.me, race.them));
}

}  // namespace
}  // namespace magnetar::sim
