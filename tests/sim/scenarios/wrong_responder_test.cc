// SPDX-License-Identifier: Apache-2.0
// Case 3: an underlay address known for one host is really another's. Scenarios S22 to S24.
#include <algorithm>

#include <gtest/gtest.h>

#include "tests/sim/world.h"

namespace magnetar::sim {
namespace {

using namespace std::chrono_literals;
using Strings = std::vector<std::string>;

struct Three {
  World world;
  Node& me = world.add_node("me", "10.42.0.100");
  Node& them = world.add_node("them", "10.42.0.99");
  Node& evil = world.add_node("evil", "10.42.0.2");

  // I look for them, also where evil is; from now on nothing arrives by itself.
  void i_ask_both(std::string_view queued) {
    me.set_remotes(them.overlay(), {evil.underlay(), them.underlay()});
    world.hold();
    me.send(them.overlay(), queued);
  }
  [[nodiscard]] bool i_know_evil() const {
    return std::ranges::any_of(me.control().tunnels(), [&](const TunnelView& view) {
      return std::ranges::find(view.overlay_addrs, evil.overlay()) != view.overlay_addrs.end();
    });
  }
};

TEST(SimWrongResponder, S22AStaticAddressIsEvils) {
  Three t;
  t.me.set_remotes(t.them.overlay(), {t.evil.underlay()});
  t.me.send(t.them.overlay(), "for them only");
  t.world.run_for(1s);
  EXPECT_EQ(t.me.ended("wrong_responder"), 1) << "no loop with evil";
  EXPECT_EQ(t.me.control().tunnels_pending(), 1U);
  EXPECT_TRUE(t.evil.sessions().empty()) << "the close_tunnel arrived";
  t.world.knows(t.me, t.them);  // the right address comes before the attempt ends
  EXPECT_TRUE(t.world.run_until([&] { return t.them.delivered.size() == 1; }, 5s));
  EXPECT_EQ(t.them.delivered, Strings{"for them only"});
  EXPECT_TRUE(t.evil.delivered.empty());
  EXPECT_TRUE(consistent(t.me, t.them));
  EXPECT_TRUE(tunnel_works(t.world, t.me, t.them));
  EXPECT_FALSE(t.i_know_evil());
}

TEST(SimWrongResponder, S23TheQueueMovesToTheNextAttempt) {
  Three t;
  t.i_ask_both("one");
  t.me.send(t.them.overlay(), "two");
  const Datagram late = t.world.take_for(t.them);
  t.world.deliver(t.world.take_for(t.evil));
  t.world.deliver(t.world.take_for(t.me));  // evil's stage 2
  t.world.deliver(t.world.take_for(t.evil));
  EXPECT_TRUE(t.evil.sessions().empty());
  t.world.deliver(late);
  t.world.release();
  t.world.deliver_held();
  t.world.run_for(1s);
  EXPECT_EQ(t.me.refused("stage2_unknown"), 1) << "them's answer to the dead attempt";
  EXPECT_EQ(t.them.delivered, (Strings{"one", "two"}));
  EXPECT_TRUE(t.evil.delivered.empty());
  EXPECT_TRUE(consistent(t.me, t.them));
  EXPECT_FALSE(t.i_know_evil());
}

TEST(SimWrongResponder, S24TheRightHostAnswersFirst) {
  Three t;
  t.i_ask_both("queued");
  t.world.deliver(t.world.take_for(t.evil));
  const Datagram evils = t.world.take_for(t.me);
  t.world.deliver(t.world.take_for(t.them));
  t.world.deliver(t.world.take_for(t.me));
  ASSERT_TRUE(consistent(t.me, t.them));
  t.world.deliver(evils);
  EXPECT_EQ(t.me.refused("stage2_unknown"), 1);
  EXPECT_EQ(t.me.sessions().size(), 1U);

  const LocalIndex mine = t.me.session_to(t.them.overlay())->facts.local;
  const Session* const evils_view = t.evil.session_to(t.me.overlay());
  ASSERT_NE(evils_view, nullptr);
  EXPECT_EQ(evils_view->facts.remote.raw(), mine.raw());
  // A recv_error from anywhere else but our address does not count.
  Datagram forged{t.them.underlay(), t.evil.underlay(), Bytes(wire::Header::kSize)};
  wire::write_header(std::span(forged.bytes).first<wire::Header::kSize>(),
                     {.type = wire::MessageType::kRecvError, .index = mine.raw()});
  t.world.deliver(forged);
  EXPECT_EQ(t.evil.refused("recv_error_spoofed"), 1);
  EXPECT_EQ(t.evil.sessions().size(), 1U);

  t.world.release();
  t.world.run_for(1s);
  t.evil.send(t.me.overlay(), "I am them");
  t.world.run_for(1s);
  EXPECT_TRUE(t.me.delivered.empty());
  EXPECT_TRUE(consistent(t.me, t.them)) << "evil's packet moved nothing";
  EXPECT_TRUE(t.evil.sessions().empty()) << "it lets go in about a second";
}

// Variant (e): once our tunnel is gone, what evil sends under its index draws a recv_error.
TEST(SimWrongResponder, S24eTheIndexIsGone) {
  Three t;
  t.i_ask_both("queued");
  t.world.deliver(t.world.take_for(t.evil));
  t.world.deliver(t.world.take_for(t.them));
  const Datagram evils = t.world.take_for(t.me);
  t.world.deliver(t.world.take_for(t.me));
  t.world.deliver(evils);
  t.world.release();
  t.me.close(t.them.overlay());
  t.world.run_for(1s);
  ASSERT_EQ(t.evil.sessions().size(), 1U);
  t.evil.send(t.me.overlay(), "still me");
  t.world.run_for(1s);
  EXPECT_TRUE(t.evil.sessions().empty());
}

TEST(SimWrongResponder, S24TheWrongHostLetsGoAtItsFirstPacket) {
  Three t;
  t.i_ask_both("queued");
  t.world.deliver(t.world.take_for(t.evil));
  (void)t.world.take_for(t.me);  // evil's stage 2 is lost
  t.world.deliver(t.world.take_for(t.them));
  t.world.deliver(t.world.take_for(t.me));
  t.world.release();
  ASSERT_TRUE(consistent(t.me, t.them));
  ASSERT_EQ(t.evil.sessions().size(), 1U);

  t.evil.send(t.me.overlay(), "I am them");
  t.world.run_for(1s);
  EXPECT_EQ(t.me.refused("forged_by_stranger"), 1);
  EXPECT_TRUE(t.evil.sessions().empty()) << "not after fifteen seconds";
  EXPECT_TRUE(consistent(t.me, t.them)) << "who was not told";
  EXPECT_TRUE(t.me.delivered.empty());
}

}  // namespace
}  // namespace magnetar::sim
