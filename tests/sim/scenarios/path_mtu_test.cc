// SPDX-License-Identifier: Apache-2.0
// Tunnels over paths that lose what is too large for them, without a word (outside.path_mtu).
#include <gtest/gtest.h>

#include "tests/sim/world.h"

namespace magnetar::sim {
namespace {

using namespace std::chrono_literals;

ControlSettings probing() {
  ControlSettings settings;
  settings.probe_path_mtu = 1500;
  return settings;
}

// Something each way, every two seconds.
void talk(World& world, Host& one, Host& other, Duration time) {
  for (Duration passed{}; passed < time; passed += 2s) {
    one.send(other.overlay(), "ping");
    other.send(one.overlay(), "pong");
    world.run_for(2s);
  }
}

std::optional<std::uint16_t> found(const Host& host, const Host& peer) {
  const Session* session = host.session_to(peer.overlay());
  return session == nullptr ? std::nullopt : session->path_mtu;
}

TEST(SimPathMtu, BothSidesFindWhatTheirPathCarries) {
  World world;
  Node& me = world.add_node("me", "10.42.0.1", probing());
  Node& them = world.add_node("them", "10.42.0.2", probing());
  world.know_each_other(me, them);
  world.link({.mtu = 1412});
  ASSERT_TRUE(tunnel_works(world, me, them));
  talk(world, me, them, 60s);
  EXPECT_EQ(found(me, them), 1412);
  EXPECT_EQ(found(them, me), 1412);
}

TEST(SimPathMtu, PeersThatKnowNothingOfItAnswer) {
  for (const bool old : {true, false}) {
    World world;
    Node& me = world.add_node("me", "10.42.0.1", probing());
    Nebula& them = old ? world.add_old("them", "10.42.0.2") : world.add_new("them", "10.42.0.2");
    world.know_each_other(me, them);
    world.link({.mtu = 1350});
    ASSERT_TRUE(tunnel_works(world, me, them));
    talk(world, me, them, 60s);
    EXPECT_EQ(found(me, them), 1350);
    world.link({.mtu = 1500});
    talk(world, me, them, 11min);
    EXPECT_EQ(found(me, them), 1500);
  }
}

TEST(SimPathMtu, WhatLossTookAwayComesBack) {
  World world(7);
  Node& me = world.add_node("me", "10.42.0.1", probing());
  Node& them = world.add_node("them", "10.42.0.2");
  world.know_each_other(me, them);
  ASSERT_TRUE(tunnel_works(world, me, them));
  world.link({.loss = 0.4});
  talk(world, me, them, 30min);
  EXPECT_LT(found(me, them), 1500) << "nothing was lost";
  world.link({});
  talk(world, me, them, 11min);
  EXPECT_EQ(found(me, them), 1500);
}

TEST(SimPathMtu, WhoDoesNotProbeSendsNothingForIt) {
  World world;
  Node& me = world.add_node("me", "10.42.0.1");
  Node& them = world.add_node("them", "10.42.0.2");
  world.know_each_other(me, them);
  ASSERT_TRUE(tunnel_works(world, me, them));
  world.hold();
  world.run_for(1s);
  EXPECT_TRUE(world.held.empty());
  EXPECT_EQ(found(me, them), std::nullopt);
}

}  // namespace
}  // namespace magnetar::sim
