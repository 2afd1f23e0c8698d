// SPDX-License-Identifier: Apache-2.0
// Bad networks: whatever they do, once they are good again the tunnel works.
#include <algorithm>

#include <gtest/gtest.h>

#include "tests/sim/world.h"

namespace magnetar::sim {
namespace {

using namespace std::chrono_literals;

// Inner packets come out at most once, and only those that were sent.
void expect_sane_delivery(const Node& node) {
  auto got = node.delivered;
  std::ranges::sort(got);
  EXPECT_TRUE(std::ranges::adjacent_find(got) == got.end()) << node.name() << " got one twice";
}

TEST(SimLossy, OneSideStarts) {
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);  // a failure names the seed that repeats it
    World world{seed};
    Node& alice = world.add_node("alice", "10.42.0.1");
    Node& bob = world.add_node("bob", "10.42.0.2");
    world.knows(alice, bob);
    world.link({.latency = 20ms, .jitter = 60ms, .loss = 0.2, .duplicate = 0.1});
    for (int i = 0; i < 50; ++i) {
      alice.send(bob.overlay(), "alice " + std::to_string(i));
      world.run_for(100ms);
    }
    EXPECT_TRUE(consistent(alice, bob));
    EXPECT_EQ(alice.control().tunnels_pending(), 0U);
    EXPECT_EQ(bob.sessions().size(), 1U) << "retransmissions made no second tunnel";
    EXPECT_GT(bob.delivered.size(), 20U);
    expect_sane_delivery(bob);
  }
}

TEST(SimLossy, BothSidesStartAndRestart) {
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    World world{seed};
    Node& alice = world.add_node("alice", "10.42.0.1");
    Node& bob = world.add_node("bob", "10.42.0.2");
    world.know_each_other(alice, bob);
    world.link({.latency = 20ms, .jitter = 150ms, .loss = 0.3, .duplicate = 0.2});
    for (int i = 0; i < 60; ++i) {
      if (i == 20) alice.restart();
      if (i == 40) bob.restart();
      alice.send(bob.overlay(), "alice " + std::to_string(i));
      bob.send(alice.overlay(), "bob " + std::to_string(i));
      world.run_for(100ms);
    }
    world.link({.latency = 20ms});
    for (int i = 60; i < 160; ++i) {
      alice.send(bob.overlay(), "alice " + std::to_string(i));
      bob.send(alice.overlay(), "bob " + std::to_string(i));
      world.run_for(100ms);
    }
    EXPECT_TRUE(tunnel_works(world, alice, bob));
    EXPECT_EQ(alice.control().tunnels_pending() + bob.control().tunnels_pending(), 0U);
    for (const Node* node : {&alice, &bob}) {
      EXPECT_LE(node->sessions().size(), 5U);
      expect_sane_delivery(*node);
    }
  }
}

TEST(SimLossy, TheSameSeedGivesTheSameRun) {
  const auto run = [](std::uint32_t seed) {
    World world{seed};
    Node& alice = world.add_node("alice", "10.42.0.1");
    Node& bob = world.add_node("bob", "10.42.0.2");
    world.know_each_other(alice, bob);
    world.link({.latency = 20ms, .jitter = 60ms, .loss = 0.3, .duplicate = 0.1});
    for (int i = 0; i < 20; ++i) {
      alice.send(bob.overlay(), std::to_string(i));
      world.run_for(50ms);
    }
    return std::pair(bob.delivered, alice.control().tunnels().at(0).local_index);
  };
  EXPECT_EQ(run(42), run(42));
  EXPECT_NE(run(42).second, run(43).second);
}

}  // namespace
}  // namespace magnetar::sim
