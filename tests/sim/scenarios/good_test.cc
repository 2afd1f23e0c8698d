// SPDX-License-Identifier: Apache-2.0
// Case 1, the good handshake: scenarios S01 to S07 and S15.
#include <algorithm>

#include <gtest/gtest.h>

#include "tests/sim/world.h"

namespace magnetar::sim {
namespace {

using namespace std::chrono_literals;
using Strings = std::vector<std::string>;

struct TwoNodes {
  World world;
  ControlSettings settings;
  explicit TwoNodes(Cipher cipher = Cipher::kAes256Gcm) { settings.cipher = cipher; }
  Node& me = world.add_node("me", "10.42.0.1", settings);
  Node& them = world.add_node("them", "10.42.0.2", settings);
};

TEST(SimGood, S01GoodHandshakeWithACutStage2First) {
  TwoNodes n;
  n.world.knows(n.me, n.them);
  n.world.hold();
  n.me.send(n.them.overlay(), "Hi from me");
  n.world.deliver(n.world.take_for(n.them));
  const Datagram stage_2 = n.world.take_for(n.me);
  Datagram cut = stage_2;
  cut.bytes.resize(cut.bytes.size() - 16);
  n.world.deliver(cut);
  EXPECT_EQ(n.me.control().tunnels_pending(), 1U);
  n.world.deliver(stage_2);
  EXPECT_EQ(n.me.control().tunnels_pending(), 0U);
  const Datagram data = n.world.take_for(n.them);
  EXPECT_EQ(wire::parse_header(data.bytes)->type, wire::MessageType::kMessage);
  EXPECT_EQ(wire::parse_header(data.bytes)->counter, Counter{3});
  n.world.deliver(data);
  EXPECT_EQ(n.them.delivered, Strings{"Hi from me"});
  EXPECT_TRUE(consistent(n.me, n.them));
  n.world.release();
  EXPECT_TRUE(tunnel_works(n.world, n.me, n.them));
}

TEST(SimGood, S04AndS05TestRequestIsEchoedWithBothCiphers) {
  for (const Cipher cipher : {Cipher::kAes256Gcm, Cipher::kChaCha20Poly1305}) {
    World world;
    ControlSettings settings;
    settings.cipher = cipher;
    Node& me = world.add_node("me", "10.42.0.1", settings);
    Node& them = world.add_node("them", "10.42.0.2", settings);
    world.know_each_other(me, them);
    ASSERT_TRUE(tunnel_works(world, me, them));
    const Bytes body(500, std::byte{0x42});
    world.hold();
    me.test(them.overlay(), body);
    world.deliver(world.take_for(them));
    const Datagram reply = world.take_for(me);
    EXPECT_EQ(reply.bytes.size(), 16 + body.size() + 16);
    world.deliver(reply);
    EXPECT_EQ(me.test_replies, std::vector<Bytes>{body});
  }
}

TEST(SimGood, S06DuplicateStage1) {
  TwoNodes n;
  n.world.know_each_other(n.me, n.them);
  n.world.hold();
  n.me.send(n.them.overlay(), "queued");
  const Datagram stage_1 = n.world.take_for(n.them);
  n.world.deliver(stage_1);
  const Datagram lost = n.world.take_for(n.me);
  n.world.deliver(stage_1);
  const Datagram cached = n.world.take_for(n.me);
  EXPECT_EQ(cached.bytes, lost.bytes);
  n.world.deliver(cached);
  n.world.deliver(n.world.take_for(n.them));
  EXPECT_EQ(n.them.delivered, Strings{"queued"});
  n.world.release();
  EXPECT_TRUE(tunnel_works(n.world, n.me, n.them));
  EXPECT_EQ(n.me.sessions().size(), 1U);
  EXPECT_EQ(n.them.sessions().size(), 1U);
}

TEST(SimGood, S07TruncatedStage2) {
  TwoNodes n;
  n.world.knows(n.me, n.them);
  n.world.hold();
  n.me.send(n.them.overlay(), "queued");
  n.world.deliver(n.world.take_for(n.them));
  const Datagram stage_2 = n.world.take_for(n.me);
  Datagram header_only = stage_2;
  header_only.bytes.resize(wire::Header::kSize);
  n.world.deliver(header_only);
  EXPECT_EQ(n.me.control().tunnels_pending(), 1U);
  n.world.deliver(stage_2);
  n.world.deliver(n.world.take_for(n.them));
  EXPECT_EQ(n.them.delivered, Strings{"queued"});
}

TEST(SimGood, S15RepeatedTrafficChangesNothing) {
  TwoNodes n;
  n.world.know_each_other(n.me, n.them);
  ASSERT_TRUE(tunnel_works(n.world, n.me, n.them));
  const LocalIndex index = n.them.session_to(n.me.overlay())->facts.local;
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(tunnel_works(n.world, n.me, n.them));
  EXPECT_EQ(n.them.sessions().size(), 1U);
  EXPECT_EQ(n.them.session_to(n.me.overlay())->facts.local, index);
  EXPECT_EQ(n.them.session_to(n.me.overlay())->facts.remote_addr, n.me.underlay());
}

TEST(SimGood, PacketsThatWaitedLeaveInOrder) {
  TwoNodes n;
  n.world.knows(n.me, n.them);
  Strings sent;
  for (int i = 0; i < 100; ++i) n.me.send(n.them.overlay(), sent.emplace_back(std::to_string(i)));
  n.me.send(n.them.overlay(), "one too many");
  EXPECT_EQ(n.me.refused("queue_full"), 1);
  n.world.run_for(1s);
  EXPECT_EQ(n.them.delivered, sent);
}

TEST(SimGood, ALostStage2IsSentAgainForTheNextStage1) {
  TwoNodes n;
  n.world.knows(n.me, n.them);
  n.world.hold();
  n.me.send(n.them.overlay(), "patient");
  n.world.deliver(n.world.take_for(n.them));
  n.world.held.clear();
  n.world.release();
  EXPECT_TRUE(n.world.run_until([&] { return n.them.delivered.size() == 1; }, 1s));
  EXPECT_EQ(n.them.sessions().size(), 1U);
  EXPECT_TRUE(consistent(n.me, n.them));
}

TEST(SimGood, APeerThatRoamsIsFollowed) {
  TwoNodes n;
  n.world.know_each_other(n.me, n.them);
  ASSERT_TRUE(tunnel_works(n.world, n.me, n.them));
  n.me.move_to(UnderlayAddr::parse("198.51.100.9:777").value());
  n.me.send(n.them.overlay(), "from the train");
  n.world.run_for(1s);
  EXPECT_EQ(n.them.session_to(n.me.overlay())->facts.remote_addr, n.me.underlay());
  EXPECT_TRUE(tunnel_works(n.world, n.me, n.them));
  EXPECT_TRUE(consistent(n.me, n.them));
}

}  // namespace
}  // namespace magnetar::sim
