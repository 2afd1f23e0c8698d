// SPDX-License-Identifier: Apache-2.0
// The life of a tunnel: rehandshakes that lose nothing (S28, S29), restarts in the middle of
// traffic, silence, and several tunnels that become one.
#include <algorithm>
#include <iterator>
#include <set>

#include <gtest/gtest.h>

#include "tests/sim/world.h"

namespace magnetar::sim {
namespace {

using namespace std::chrono_literals;

struct Two {
  World world;
  Node& low = world.add_node("low", "10.42.0.1");
  Node& high = world.add_node("high", "10.42.0.2");
  Two() { world.know_each_other(low, high); }

  [[nodiscard]] Node& side(bool lower) { return lower ? low : high; }

  // Key and group of a new certificate for one of them.
  void renew(Node& node) {
    const bool is_low = &node == &low;
    node.renew(world.authority().shared_host(
        node.name(), is_low ? "10.42.0.1/16" : "10.42.0.2/16", is_low ? 0x71 : 0x72,
        [](proto::CertificateDetails& details) { details.add_groups("new"); }));
  }
  [[nodiscard]] static bool sees_group(const Node& node) {
    const auto views = node.control().tunnels();
    return std::ranges::any_of(views, [](const TunnelView& view) {
      return view.primary && view.groups == std::vector<std::string>{"new"};
    });
  }
};

// A numbered packet every 10 ms.
struct Stream {
  Node& from;
  Node& to;
  int sent = 0;
  void next() { from.send(to.overlay(), from.name() + " " + std::to_string(sent++)); }
  [[nodiscard]] std::vector<std::string> arrived() const {
    std::vector<std::string> ours;
    std::ranges::copy_if(to.delivered, std::back_inserter(ours),
                         [&](const std::string& one) { return one.starts_with(from.name()); });
    return ours;
  }
  void expect_all_once() const {
    const auto all = arrived();
    EXPECT_EQ(all.size(), static_cast<std::size_t>(sent)) << from.name();
    EXPECT_EQ(std::set(all.begin(), all.end()).size(), all.size()) << from.name();
  }
};

void run(World& world, std::vector<Stream*> streams, Duration time) {
  for (Duration done{}; done < time; done += 10ms) {
    for (Stream* const stream : streams) stream->next();
    world.run_for(10ms);
  }
}

TEST(SimRehandshake, S28AndS29ARenewedCertificateLosesNothing) {
  const struct {
    std::string why;
    bool low_renews;
    Duration jitter;
  } rows[] = {
      {"S28: the higher one renews", false, 0ms},
      {"S29: the lower one renews, and nothing turns back to its old tunnel", true, 0ms},
      {"data overtakes stage 2", true, 60ms},
      {"data overtakes stage 2, the other way", false, 60ms},
  };
  for (const auto& [why, low_renews, jitter] : rows) {
    SCOPED_TRACE(why);
    Two two;
    ASSERT_TRUE(tunnel_works(two.world, two.low, two.high));
    two.world.link({.jitter = jitter});
    Node& renewed = two.side(low_renews);
    Node& other = two.side(!low_renews);
    Stream down{other, renewed};
    Stream up{renewed, other};
    run(two.world, {&down, &up}, 2s);
    two.renew(renewed);
    run(two.world, {&down, &up}, 40s);
    two.world.run_for(1s);
    down.expect_all_once();
    up.expect_all_once();
    EXPECT_TRUE(Two::sees_group(other));
    EXPECT_EQ(two.low.sessions().size(), 1U) << "the old tunnel is gone";
    EXPECT_EQ(two.high.sessions().size(), 1U);
    EXPECT_TRUE(consistent(two.low, two.high));
  }
}

TEST(SimRehandshake, BothRenewAtOnce) {
  Two two;
  ASSERT_TRUE(tunnel_works(two.world, two.low, two.high));
  Stream up{two.low, two.high};
  Stream down{two.high, two.low};
  run(two.world, {&up, &down}, 1s);
  two.renew(two.low);
  two.renew(two.high);
  run(two.world, {&up, &down}, 60s);
  two.world.run_for(1s);
  up.expect_all_once();
  down.expect_all_once();
  EXPECT_TRUE(Two::sees_group(two.low) && Two::sees_group(two.high));
  EXPECT_EQ(two.low.sessions().size() + two.high.sessions().size(), 2U);
  EXPECT_TRUE(consistent(two.low, two.high));
}

TEST(SimRehandshake, ALostStage2LosesNoData) {
  for (const bool low_renews : {true, false}) {
    SCOPED_TRACE(low_renews);
    Two two;
    ASSERT_TRUE(tunnel_works(two.world, two.low, two.high));
    Node& renewed = two.side(low_renews);
    Node& other = two.side(!low_renews);
    Stream down{other, renewed};
    run(two.world, {&down}, 1s);
    two.renew(renewed);
    renewed.send(other.overlay(), "heard");
    other.send(renewed.overlay(), "heard");
    // Every stage 2 of the first half second is lost; all else arrives.
    two.world.hold();
    int lost = 0;
    for (Duration done{}; done < 8s; done += 10ms) {
      down.next();
      two.world.run_for(10ms);
      while (!two.world.held.empty()) {
        const Datagram one = two.world.held.front();
        two.world.held.pop_front();
        const auto header = wire::parse_header(one.bytes);
        const bool stage_2 =
            header->type == wire::MessageType::kHandshake && header->counter == Counter{2};
        if (stage_2 && lost < 3)
          ++lost;
        else
          two.world.deliver(one);
      }
    }
    two.world.release();
    two.world.run_for(1s);
    EXPECT_EQ(lost, 3);
    down.expect_all_once();
    EXPECT_TRUE(Two::sees_group(other));
  }
}

TEST(SimRehandshake, ARestartInTheMiddleOfTrafficCostsARoundTripOrTwo) {
  for (const bool low_restarts : {true, false}) {
    SCOPED_TRACE(low_restarts);
    Two two;
    ASSERT_TRUE(tunnel_works(two.world, two.low, two.high));
    Node& restarted = two.side(low_restarts);
    Node& other = two.side(!low_restarts);
    Stream down{other, restarted};
    Stream up{restarted, other};
    run(two.world, {&down, &up}, 1s);
    restarted.restart();
    run(two.world, {&down, &up}, 5s);
    two.world.run_for(1s);
    up.expect_all_once();  // they wait for the handshake
    EXPECT_GE(down.arrived().size(), static_cast<std::size_t>(down.sent) - 15)
        << "of one every 10 ms, with 40 ms for a round trip";
    EXPECT_TRUE(consistent(two.low, two.high));
  }
}

TEST(SimRehandshake, AnIdleTunnelLivesAndADeadPeerIsNoticed) {
  Two two;
  ASSERT_TRUE(tunnel_works(two.world, two.low, two.high));
  two.world.run_for(1h);
  EXPECT_TRUE(consistent(two.low, two.high)) << "nobody asked, nobody died";
  EXPECT_EQ(two.low.sessions().size(), 1U);

  two.high.move_to(UnderlayAddr{IpAddr::v4(0xc6336401), 1});  // and says nothing
  two.low.send(two.high.overlay(), "anybody there?");
  two.world.run_for(10s);
  EXPECT_EQ(two.low.sessions().size(), 1U) << "tested, not yet given up";
  two.world.run_for(11s);
  EXPECT_EQ(two.low.sessions().size(), 0U);
}

TEST(SimRehandshake, AHalfOpenTunnelDoesNotOutliveItsTimer) {
  Two two;
  two.world.hold();
  two.low.send(two.high.overlay(), "hello");
  two.world.deliver(two.world.take_for(two.high));
  ASSERT_EQ(two.high.sessions().size(), 1U);
  two.low.restart();
  two.world.held.clear();
  for (int i = 0; i < 20; ++i) {
    two.world.run_for(1s);
    two.world.held.clear();
  }
  EXPECT_TRUE(two.high.sessions().empty());
}

}  // namespace
}  // namespace magnetar::sim
