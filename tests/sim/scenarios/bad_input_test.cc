// SPDX-License-Identifier: Apache-2.0
// Malformed, late and orphaned handshake packets: scenarios S08 to S13.
#include <gtest/gtest.h>

#include "tests/sim/world.h"

namespace magnetar::sim {
namespace {

using namespace std::chrono_literals;

struct TwoNodes {
  World world;
  Node& me = world.add_node("me", "10.42.0.1");
  Node& them = world.add_node("them", "10.42.0.2");
};

Datagram handshake_to(const Node& to, const wire::Header& header, std::size_t size) {
  Bytes bytes(size, std::byte{0x5a});
  wire::write_header(std::span(bytes).first<wire::Header::kSize>(), header);
  return {UnderlayAddr::parse("203.0.113.5:4242").value(), to.underlay(), std::move(bytes)};
}

TEST(SimBadInput, S08OrphanedStage2) {
  TwoNodes n;
  n.world.know_each_other(n.me, n.them);
  ASSERT_TRUE(tunnel_works(n.world, n.me, n.them));
  n.world.hold();
  n.world.deliver(handshake_to(n.me, {.index = 0xdeadbeef, .counter = Counter{2}}, 200));
  EXPECT_TRUE(n.world.held.empty()) << "above all no recv_error";
  EXPECT_EQ(n.me.sessions().size(), 1U);
  EXPECT_EQ(n.me.refused("stage2_unknown"), 1);
  n.world.release();
  EXPECT_TRUE(tunnel_works(n.world, n.me, n.them));
}

TEST(SimBadInput, S09AndS10UnexpectedCounters) {
  TwoNodes n;
  n.world.hold();
  for (const std::uint64_t counter : {0U, 3U, 99U})
    n.world.deliver(handshake_to(n.me, {.counter = Counter{counter}}, 200));
  EXPECT_TRUE(n.world.held.empty());
  EXPECT_TRUE(n.me.control().tunnels().empty());
  EXPECT_EQ(n.me.refused("handshake_counter"), 3);
}

TEST(SimBadInput, S11UnknownSubtype) {
  TwoNodes n;
  n.world.hold();
  n.world.deliver(handshake_to(n.me, {.subtype = 99, .counter = Counter{1}}, 200));
  EXPECT_TRUE(n.world.held.empty());
  EXPECT_TRUE(n.me.control().tunnels().empty());
}

TEST(SimBadInput, S12LateResponse) {
  World world;
  ControlSettings settings;
  settings.try_interval = 200ms;
  settings.retries = 2;
  Node& me = world.add_node("me", "10.42.0.1", settings);
  Node& them = world.add_node("them", "10.42.0.2");
  world.knows(me, them);
  world.hold();
  me.send(them.overlay(), "lost");
  const Datagram stage_1 = world.take_for(them);
  world.run_for(1500ms);
  EXPECT_EQ(me.control().tunnels_pending(), 0U);
  EXPECT_EQ(me.ended("timeout"), 1);
  world.deliver(stage_1);
  world.deliver(world.take_for(me));
  EXPECT_TRUE(me.control().tunnels().empty());
  EXPECT_EQ(me.refused("stage2_unknown"), 1);
}

TEST(SimBadInput, S12WhatTheUselessTunnelSendsIsAnsweredWithARecvError) {
  TwoNodes n;
  n.world.knows(n.me, n.them);
  n.world.hold();
  n.me.send(n.them.overlay(), "lost");
  const Datagram stage_1 = n.world.take_for(n.them);
  n.world.run_for(10s);
  n.world.held.clear();
  n.world.deliver(stage_1);
  n.world.held.clear();
  n.world.release();
  ASSERT_EQ(n.them.sessions().size(), 1U);
  n.them.send(n.me.overlay(), "into the void");
  n.world.run_for(1s);
  EXPECT_EQ(n.me.refused("unknown_index"), 1);
  EXPECT_TRUE(n.them.sessions().empty());
}

TEST(SimBadInput, S13SelfConnection) {
  TwoNodes n;
  n.world.knows(n.me, n.them);
  n.world.hold();
  n.me.send(n.them.overlay(), "x");
  Datagram reflected = n.world.take_for(n.them);
  reflected.from = n.them.underlay();
  reflected.to = n.me.underlay();
  n.world.deliver(reflected);
  EXPECT_TRUE(n.world.held.empty()) << "no stage 2";
  EXPECT_EQ(n.me.control().tunnels_up(), 0U);
  EXPECT_EQ(n.me.refused("self_handshake"), 1);
}

}  // namespace
}  // namespace magnetar::sim
