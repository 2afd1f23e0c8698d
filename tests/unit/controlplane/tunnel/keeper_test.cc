// SPDX-License-Identifier: Apache-2.0
// The connection manager: what it does with a tunnel, given what was seen of it.
#include "controlplane/tunnel/keeper.h"

#include <gtest/gtest.h>

#include "tests/unit/controlplane/tunnel/pair.h"

namespace magnetar {
namespace {

using namespace testing;
using namespace std::chrono_literals;
using wire::MessageType;

bool tests(const Actions& out, LocalIndex session) {
  const auto sent = all<SendInSession>(out);
  return sent.size() == 1 && sent[0]->session == session && sent[0]->type == MessageType::kTest &&
         sent[0]->subtype == wire::kSubtypeTestRequest && sent[0]->plaintext.empty();
}

TEST(Keeper, LooksAtATunnelByWhatWasSeenOfIt) {
  struct Step {
    std::string why;
    Traffic seen;
    Duration after;
    bool tested;
    bool closed;
  };
  const struct {
    std::string why;
    std::vector<Step> steps;
  } rows[] = {
      {"idle tunnels are never tested and never die",
       {{"the first check counts it as used", {.in = true}, 5s, false, false},
        {"idle", {}, 5s, false, false},
        {"idle", {}, 1h, false, false}}},
      {"the peer is gone",
       {{"used and silent", {.out = true}, 5s, true, false},
        {"not before ten seconds", {.out = true}, 9999ms, false, false},
        {"then it is closed", {.out = true}, 1ms, false, true}}},
      {"a new tunnel counts as used: one that does not work is noticed",
       {{"no traffic at all", {}, 5s, true, false}, {"no answer", {}, 10s, false, true}}},
      {"the peer answers the test",
       {{"used and silent", {.out = true}, 5s, true, false},
        {"it was heard", {.in = true, .out = true}, 10s, false, false},
        {"no longer doomed: tested anew", {.out = true}, 5s, true, false}}},
      {"the peer is heard: nothing to do",
       {{"both ways", {.in = true, .out = true}, 5s, false, false},
        {"both ways", {.in = true, .out = true}, 5s, false, false},
        {"only it sends", {.in = true}, 5s, false, false}}},
      {"the counter is used up",
       {{"the last one but one", {.in = true, .send_counter = kCounterCeiling}, 5s, false, true}}},
  };
  for (const auto& [why, steps] : rows) {
    SCOPED_TRACE(why);
    Pair pair;
    const auto stood = pair.stand();
    for (const auto& [step_why, seen, after, tested, closed] : steps) {
      SCOPED_TRACE(step_why);
      pair.alice.traffic.of(stood.alice) = seen;
      pair.pass(after);
      const Actions out = pair.alice.tick();
      EXPECT_EQ(tests(out, stood.alice), tested);
      EXPECT_EQ(all<CloseSession>(out).size(), closed ? 1U : 0U);
      if (!tested) {
        EXPECT_TRUE(all<SendInSession>(out).empty()) << "the peer is not told";
      }
    }
  }
}

TEST(Keeper, TheNextPacketAfterAnExhaustedCounterStartsAHandshake) {
  Pair pair;
  const auto stood = pair.stand();
  pair.alice.traffic.of(stood.alice).send_counter = kCounterCeiling;
  pair.pass(5s);
  EXPECT_EQ(only<UnroutePeer>(pair.alice.tick()).addr, kBob);
  EXPECT_EQ(all<SendDatagram>(pair.alice.packet(kBob, "next")).size(), 1U);
}

TEST(Keeper, ClosesTunnelsWhoseCertificateIsNoLongerGood) {
  const Authority authority;
  const auto with = [&](const std::function<void(Identity&)>& change) {
    auto identity = std::make_shared<Identity>(authority.host("alice", "10.42.0.1/16", 0xa1));
    change(*identity);
    return std::shared_ptr<const Identity>(identity);
  };
  const auto bob = authority.shared_host("bob", "10.42.0.2/16", 0xb0);
  const auto same = with([](Identity&) {});
  const struct {
    std::string why;
    std::shared_ptr<const Identity> identity;  // after a reload
    Duration after;
    bool disconnect_invalid;
    bool closed;
  } rows[] = {
      {"nothing changed", same, 5s, true, false},
      {"it expired", same, std::chrono::hours(24 * 365 * 2), true, true},
      {"it expired, and we were told to go on", same, std::chrono::hours(24 * 365 * 2), false,
       false},
      {"its CA went", with([](Identity& identity) { identity.cas = {}; }), 5s, true, true},
      {"its CA went, and we were told to go on",
       with([](Identity& identity) { identity.cas = {}; }), 5s, false, false},
      {"it was blocked, which always counts",
       with([&](Identity& identity) { identity.blocklist = {bob->certificate.fingerprint}; }), 5s,
       false, true},
  };
  for (const auto& [why, identity, after, disconnect_invalid, closed] : rows) {
    SCOPED_TRACE(why);
    ControlSettings settings = knowing(kBob, {kBobAt});
    settings.disconnect_invalid = disconnect_invalid;
    ControlHost alice(same, kAliceAt, settings, 1);
    ControlHost peer(bob, kBobAt, {}, 2);
    const Bytes stage_1 = only<SendDatagram>(alice.packet(kBob, "x")).bytes;
    alice.receive(kBobAt, only<SendDatagram>(peer.receive(kAliceAt, stage_1)).bytes);
    const LocalIndex local = alice.control.tunnels()[0].local_index;
    alice.traffic.of(local) = {.in = true};
    alice.control.replace_identity(identity);
    alice.pass(after);
    const Actions out = alice.tick();
    EXPECT_EQ(alice.control.tunnels_up(), closed ? 0U : 1U);
    if (closed) {
      EXPECT_EQ(only<SendInSession>(out).type, MessageType::kCloseTunnel);
    }
  }
}

TEST(Keeper, ReplacesATunnelThatIsInUse) {
  const struct {
    std::string why;
    Traffic seen;
    bool renewed;
    bool replaced;
  } rows[] = {
      {"all is well", {.in = true}, false, false},
      {"our certificate was renewed", {.in = true}, true, true},
      {"but nobody uses the tunnel", {}, true, false},
      {"the counter has come far", {.in = true, .send_counter = kCounterRehandshake}, false, true},
      {"not that far", {.in = true, .send_counter = kCounterRehandshake - 1}, false, false},
  };
  for (const auto& [why, seen, renewed, replaced] : rows) {
    SCOPED_TRACE(why);
    Pair pair;
    const auto stood = pair.stand();
    pair.alice.traffic.of(stood.alice) = seen;
    if (renewed)
      pair.alice.control.replace_identity(
          pair.authority.shared_host("alice", "10.42.0.1/16", 0xaa));
    pair.pass(5s);
    const Actions out = pair.alice.tick();
    ASSERT_EQ(all<SendDatagram>(out).size(), replaced ? 1U : 0U);
    EXPECT_EQ(pair.alice.control.tunnels_pending(), replaced ? 1U : 0U);
    EXPECT_TRUE(all<UnroutePeer>(out).empty()) << "the old one stays in use";
    if (replaced) {
      EXPECT_EQ(only<SendDatagram>(out).to, kBobAt);
    }
  }
}

// A new certificate on a gateway with many tunnels: they are replaced over some seconds.
TEST(Keeper, ReplacesManyTunnelsAtAPace) {
  constexpr std::uint32_t kPeers = 200;
  Authority authority;
  ControlSettings settings;
  settings.max_tunnels = 1024;
  ControlHost alice(authority.shared_host("alice", "10.42.0.1/16", 1), kAliceAt, settings);
  std::vector<LocalIndex> tunnels;
  for (std::uint32_t i = 0; i < kPeers; ++i) {
    const std::string number = std::to_string(i);
    const auto fill = static_cast<std::uint8_t>(i);
    const UnderlayAddr where{IpAddr::v4(0xc6336401 + i), 4242};
    ControlHost peer(authority.shared_host("p" + number, "10.42.1." + number + "/16", fill), where,
                     knowing(kAlice, {kAliceAt}), i);
    const Actions stood = alice.receive(where, only<SendDatagram>(peer.packet(kAlice, "x")).bytes);
    tunnels.push_back(only<OpenSession>(stood).local);
  }
  alice.control.replace_identity(authority.shared_host("alice", "10.42.0.1/16", 2));
  std::vector<std::size_t> replaced;
  for (int check = 0; check < 5; ++check) {
    for (const LocalIndex tunnel : tunnels) alice.traffic.of(tunnel).in = true;
    alice.pass(5s);
    replaced.push_back(all<AwaitSession>(alice.tick()).size());
  }
  EXPECT_EQ(replaced, (std::vector<std::size_t>{64, 64, 64, 8, 0}));
}

// Alice's tunnel is replaced by one that she starts; bob's own view of it comes at the end.
struct Replaced {
  Pair pair;
  Pair::Stood old = pair.stand();
  LocalIndex alices;
  LocalIndex bobs;
  Actions at_bob;
  Actions at_alice;

  Replaced() {
    pair.bob.message(old.bob, MessageType::kTest, 1);  // alice is heard on the old one
    pair.alice.traffic.of(old.alice) = {.in = true};
    pair.alice.control.replace_identity(pair.authority.shared_host("alice", "10.42.0.1/16", 0xaa));
    pair.pass(5s);
    const Bytes stage_1 = only<SendDatagram>(pair.alice.tick()).bytes;
    at_bob = pair.bob.receive(kAliceAt, stage_1);
    at_alice = pair.alice.receive(kBobAt, only<SendDatagram>(at_bob).bytes);
    bobs = only<OpenSession>(at_bob).local;
    alices = only<OpenSession>(at_alice).local;
  }
};

TEST(Keeper, ARehandshakeSwitchesWhenThePeerCanRead) {
  Replaced r;
  EXPECT_EQ(only<RoutePeer>(r.at_alice).session, r.alices) << "bob had the keys first";
  EXPECT_TRUE(tests(r.at_alice, r.alices)) << "so that bob knows that we have them, too";
  EXPECT_TRUE(all<RoutePeer>(r.at_bob).empty()) << "stage 2 may be lost";
  EXPECT_TRUE(all<CloseSession>(r.at_bob).empty()) << "and what is under way must be read";

  const Actions heard = r.pair.bob.message(r.bobs, MessageType::kTest, 0);
  EXPECT_EQ(only<RoutePeer>(heard).session, r.bobs);
  EXPECT_TRUE(all<RoutePeer>(r.pair.bob.message(r.bobs, MessageType::kTest, 0)).empty());
}

TEST(Keeper, DataConfirmsToo) {
  Replaced r;
  EXPECT_EQ(r.pair.bob.control.next_timeout(), r.pair.bob.now.steady) << "its own checks are due";
  r.pair.bob.tick();
  r.pair.pass(50ms);
  EXPECT_TRUE(all<RoutePeer>(r.pair.bob.tick()).empty());
  r.pair.bob.traffic.of(r.bobs).in = true;
  r.pair.pass(100ms);
  EXPECT_EQ(only<RoutePeer>(r.pair.bob.tick()).session, r.bobs);
}

TEST(Keeper, WhatNobodyConfirmsGoesAndTheOldOneStays) {
  Replaced r;
  for (int i = 0; i < 40; ++i) {
    r.pair.pass(500ms);
    r.pair.bob.traffic.of(r.old.bob) = {.in = true, .out = true};
    r.pair.bob.tick();
  }
  const auto left = r.pair.bob.control.tunnels();
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].local_index, r.old.bob);
  EXPECT_TRUE(left[0].primary);
}

TEST(Keeper, AnUnusedSpareGoesWithNoticeAndTheOtherHasToAnswer) {
  Replaced r;
  r.pair.bob.message(r.old.bob, MessageType::kTest, 1);  // both are confirmed
  r.pair.bob.message(r.bobs, MessageType::kTest, 0);
  std::vector<LocalIndex> told;
  std::vector<LocalIndex> tested;
  for (int i = 0; i < 60; ++i) {
    r.pair.pass(500ms);
    const Actions out = r.pair.bob.tick();
    for (const SendInSession* sent : all<SendInSession>(out))
      (sent->type == MessageType::kCloseTunnel ? told : tested).push_back(sent->session);
    if (told.empty()) {
      EXPECT_TRUE(tested.empty()) << "idle tunnels are not tested";
    }
  }
  EXPECT_EQ(told, std::vector{r.old.bob});
  EXPECT_EQ(tested, std::vector{r.bobs});
  EXPECT_TRUE(r.pair.bob.control.tunnels().empty()) << "no answer came";
}

TEST(Keeper, AnUnusedSpareGoesSilentlyWhileTheOtherIsInUse) {
  Replaced r;
  r.pair.bob.message(r.old.bob, MessageType::kTest, 1);
  r.pair.bob.message(r.bobs, MessageType::kTest, 0);
  std::size_t closed = 0;
  for (int i = 0; i < 60; ++i) {
    r.pair.pass(500ms);
    r.pair.bob.traffic.of(r.bobs) = {.in = true, .out = true};
    const Actions out = r.pair.bob.tick();
    EXPECT_TRUE(all<SendInSession>(out).empty()) << "it would answer with a recv_error";
    closed += all<CloseSession>(out).size();
  }
  EXPECT_EQ(closed, 1U);
}

TEST(Keeper, AnOldTunnelThatFailsBringsTheNewOneIntoUse) {
  Replaced r;
  Bytes packet(wire::Header::kSize);
  wire::write_header(std::span(packet).first<wire::Header::kSize>(),
                     {.type = MessageType::kRecvError, .index = r.old.alice.raw()});
  EXPECT_EQ(only<RoutePeer>(r.pair.bob.receive(kAliceAt, packet)).session, r.bobs);
}

// Two tunnels that both sides know; alice started both and uses the second.
struct BothKnown {
  Pair pair;
  Pair::Stood old = pair.stand();
  LocalIndex alices;

  BothKnown() {
    pair.bob.message(old.bob, MessageType::kTest, 1);
    pair.alice.traffic.of(old.alice) = {.in = true, .send_counter = kCounterRehandshake};
    pair.pass(5s);
    const Bytes stage_1 = only<SendDatagram>(pair.alice.tick()).bytes;
    const Actions at_bob = pair.bob.receive(kAliceAt, stage_1);
    alices = only<OpenSession>(pair.alice.receive(kBobAt, only<SendDatagram>(at_bob).bytes)).local;
    pair.bob.message(only<OpenSession>(at_bob).local, MessageType::kTest, 0);
    pair.alice.traffic.of(old.alice).send_counter = 0;
  }
};

TEST(Keeper, ThePeerThatDecidesMayTurnBackToAnotherTunnel) {
  for (const bool lower : {true, false}) {
    SCOPED_TRACE(lower);
    BothKnown both;
    ControlHost& host = lower ? both.pair.alice : both.pair.bob;
    const LocalIndex old = lower ? both.old.alice : both.old.bob;
    // The peer sends on the first one all the time.
    std::size_t turned = 0;
    for (int i = 0; i < 3; ++i) {
      both.pair.pass(5s);
      host.traffic.of(old).in = true;
      const Actions out = host.tick();
      for (const RoutePeer* const route : all<RoutePeer>(out))
        turned += route->session == old ? 1U : 0U;
    }
    EXPECT_EQ(turned, lower ? 1U : 0U) << "the lower overlay address follows the higher";
  }
}

// Else two tunnels that the two sides hold for theirs would take turns for ever.
TEST(Keeper, TheAnswerToOurTestDoesNotTurnUsBack) {
  BothKnown both;
  ControlHost& alice = both.pair.alice;
  const auto turned_to = [&](std::optional<LocalIndex> heard) {
    both.pair.pass(5s);
    if (heard) alice.traffic.of(*heard).in = true;
    std::optional<LocalIndex> route;
    const Actions out = alice.tick();
    for (const RoutePeer* one : all<RoutePeer>(out)) route = one->session;
    return route;
  };
  EXPECT_EQ(turned_to(both.alices), std::nullopt) << "in use";
  alice.traffic.of(both.alices).out = true;
  EXPECT_EQ(turned_to(std::nullopt), std::nullopt) << "silent, and tested";
  EXPECT_EQ(turned_to(both.old.alice), both.old.alice) << "bob sends there";
  EXPECT_EQ(turned_to(both.alices), std::nullopt) << "the answer";
  EXPECT_EQ(turned_to(both.alices), both.alices) << "bob sends there again";
}

}  // namespace
}  // namespace magnetar
