// SPDX-License-Identifier: Apache-2.0
// Both sides start, and what comes late; stage 1 packets that somebody made up; sources that are
// not the peer's.
#include <gtest/gtest.h>

#include "tests/unit/controlplane/tunnel/pair.h"

namespace magnetar {
namespace {

using namespace testing;
using namespace std::chrono_literals;
using wire::MessageType;

// Alice (lower) and bob (higher) both started; nothing was delivered.
struct Race : Pair {
  Bytes alices = stage_1("from alice");
  Bytes bobs = only<SendDatagram>(bob.packet(kAlice, "from bob")).bytes;
  // Bob's attempt, which stays.
  Actions finish() {
    const Actions at_alice = alice.receive(kBobAt, bobs);
    return bob.receive(kAliceAt, only<SendDatagram>(at_alice).bytes);
  }
};

TEST(Race, AStage1ThatComesAgainOnceTheWinnerStandsIsAnswered) {
  Race race;
  EXPECT_EQ(reasons(race.bob.receive(kAliceAt, race.alices)), Strings{"race_won"});
  const Actions stood = race.finish();
  const LocalIndex first = only<OpenSession>(stood).local;

  // A peer of Nebula 1.7 or later did not stand down: its packets wait for this.
  const Actions again = race.bob.receive(kAliceAt, race.alices);
  EXPECT_EQ(results(again), Strings{"responder ok"});
  EXPECT_TRUE(all<RoutePeer>(again).empty()) << "bob goes on with the tunnel that works";
  const Bytes stage_2 = only<SendDatagram>(again).bytes;
  const LocalIndex second = only<OpenSession>(again).local;
  EXPECT_EQ(only<SendDatagram>(race.bob.receive(kAliceAt, race.alices)).bytes, stage_2)
      << "from the cache: a fresh one would carry other keys";

  // Its packets come out of it: from then on that is the tunnel it uses.
  race.bob.traffic.of(second).in = true;
  race.pass(50ms);
  EXPECT_EQ(only<RoutePeer>(race.bob.tick()).session, second);
  EXPECT_NE(first, second);
}

TEST(Race, TheLosersAttemptStillOpensATunnelIfItIsAnswered) {
  Race race;
  const Actions at_alice = race.alice.receive(kBobAt, race.bobs);
  EXPECT_EQ(text_of(only<SendQueued>(at_alice).packets[0]), "from alice");
  race.bob.receive(kAliceAt, only<SendDatagram>(at_alice).bytes);
  const Actions again = race.bob.receive(kAliceAt, race.alices);

  const Actions late = race.alice.receive(kBobAt, only<SendDatagram>(again).bytes);
  EXPECT_EQ(results(late), Strings{"initiator ok"});
  EXPECT_EQ(only<OpenSession>(late).remote.raw(), only<OpenSession>(again).local.raw());
  EXPECT_EQ(only<OpenSession>(late).send_key, only<OpenSession>(again).receive_key);
  EXPECT_TRUE(all<RoutePeer>(late).empty()) << "bob decides which one is used";
  EXPECT_TRUE(all<SendQueued>(late).empty()) << "the packets left before";

  // Nobody uses it: both sides drop it, and the one that works stays.
  for (ControlHost* const host : {&race.alice, &race.bob}) {
    for (int i = 0; i < 20; ++i) {
      host->pass(1s);
      for (const TunnelView& view : host->control.tunnels())
        if (view.primary) host->traffic.of(view.local_index).in = true;
      host->tick();
    }
    EXPECT_EQ(host->control.tunnels_up(), 1U);
  }
  EXPECT_EQ(race.alice.control.tunnels()[0].local_index.raw(),
            race.bob.control.tunnels()[0].remote_index.raw());
}

TEST(Race, AnAttemptThatStoodDownIsForgottenAndGivesItsIndexBack) {
  Race race;
  race.alice.receive(kBobAt, race.bobs);
  EXPECT_EQ(race.alice.control.tunnels_pending(), 0U);
  const auto answer = [&] {
    ControlHost bob(race.authority.shared_host("bob", "10.42.0.2/16", 0xb0), kBobAt, {}, 5);
    return only<SendDatagram>(bob.receive(kAliceAt, race.alices)).bytes;
  };
  const Bytes stage_2 = answer();
  race.pass(7s);
  race.alice.tick();
  EXPECT_EQ(reasons(race.alice.receive(kBobAt, stage_2)), Strings{"stage2_unknown"});
}

TEST(Race, TheWinnerLearnsWhereTheLoserIs) {
  Authority authority;
  const UnderlayAddr stale = at("203.0.113.1:4242");
  ControlHost alice(authority.shared_host("alice", "10.42.0.1/16", 0xa1), kAliceAt,
                    knowing(kBob, {kBobAt}), 1);
  ControlHost bob(authority.shared_host("bob", "10.42.0.2/16", 0xb0), kBobAt,
                  knowing(kAlice, {stale}), 2);
  const Actions sent = bob.packet(kAlice, "x");
  EXPECT_EQ(only<SendDatagram>(sent).to, stale);
  const Bytes alices = only<SendDatagram>(alice.packet(kBob, "y")).bytes;
  const Actions won = bob.receive(kAliceAt, alices);
  EXPECT_EQ(reasons(won), Strings{"race_won"});
  EXPECT_EQ(only<SendDatagram>(won).to, kAliceAt) << "or both would wait until they give up";
  EXPECT_EQ(only<SendDatagram>(won).bytes, only<SendDatagram>(sent).bytes);
  EXPECT_TRUE(all<SendDatagram>(bob.receive(kAliceAt, alices)).empty()) << "once";
  bob.pass(100ms);
  EXPECT_EQ(all<SendDatagram>(bob.tick()).size(), 2U) << "and with each repeat";
}

// A stage 1 shows a certificate, which anybody can copy, and any Time.
Bytes made_up(const Authority& authority, WallTime time, std::uint64_t seed) {
  ControlHost forger(authority.shared_host("alice", "10.42.0.1/16", 0xa1), kEveAt,
                     knowing(kBob, {kBobAt}), seed);
  forger.now.wall = time;
  return only<SendDatagram>(forger.packet(kBob, "x")).bytes;
}

TEST(MadeUp, AStage1TakesNoTrafficAndLocksNobodyOut) {
  Pair pair;
  const auto stood = pair.stand();
  pair.bob.message(stood.bob, MessageType::kTest, 1);
  for (std::uint64_t seed = 100; seed < 120; ++seed) {
    const Actions out = pair.bob.receive(
        kEveAt, made_up(pair.authority, kWallStart + std::chrono::hours(24 * 300), seed));
    EXPECT_EQ(results(out), Strings{"responder ok"});
    EXPECT_TRUE(all<RoutePeer>(out).empty());
    for (const CloseSession* const closed : all<CloseSession>(out))
      EXPECT_NE(closed->session, stood.bob) << "the tunnel that works is not pushed out";
  }
  EXPECT_EQ(pair.bob.control.tunnels_up(), 5U) << "bounded";
  EXPECT_EQ(pair.bob.control.tunnels().size(), 5U);

  // The true alice starts anew, with a Time long before the made-up ones.
  pair.alice.close(kBob);
  pair.pass(1s);
  const Actions real = pair.bob.receive(kAliceAt, pair.stage_1());
  EXPECT_EQ(results(real), Strings{"responder ok"});
  const LocalIndex fresh = only<OpenSession>(real).local;
  const Actions heard = pair.bob.message(fresh, MessageType::kTest, 1);
  EXPECT_EQ(only<RoutePeer>(heard).session, fresh);
}

TEST(MadeUp, WithoutATunnelTheTruePeerTakesOver) {
  Pair pair;
  pair.bob.receive(kEveAt, made_up(pair.authority, kWallStart + std::chrono::hours(24 * 300), 7));
  const Actions real = pair.bob.receive(kAliceAt, pair.stage_1());
  const LocalIndex fresh = only<OpenSession>(real).local;
  EXPECT_EQ(only<RoutePeer>(pair.bob.message(fresh, MessageType::kTest, 1)).session, fresh);
}

TEST(TooOld, AlsoCountsForTunnelsWeStarted) {
  Pair pair;
  const Bytes old = pair.stage_1();
  pair.pass(31s);
  pair.alice.tick();
  pair.alice.close(kBob);
  const Bytes bobs = only<SendDatagram>(pair.bob.packet(kAlice, "x")).bytes;
  pair.bob.receive(kAliceAt, only<SendDatagram>(pair.alice.receive(kBobAt, bobs)).bytes);
  const Actions out = pair.bob.receive(kEveAt, old);
  EXPECT_EQ(reasons(out), Strings{"stage1_too_old"}) << "no attempt lasts that long";
  EXPECT_EQ(only<SendInSession>(out).type, MessageType::kTest);
}

TEST(Forged, AStrangerIsToldAndThePeerNever) {
  const UnderlayAddr cafe = at("198.51.100.7:1000");
  Authority authority;
  ControlHost alice(authority.shared_host("alice", "10.42.0.1/16", 0xa1), kAliceAt,
                    knowing(kBob, {kEveAt, kBobAt}), 1);
  ControlHost bob(authority.shared_host("bob", "10.42.0.2/16", 0xb0), kBobAt, {}, 2);
  const Actions sent = alice.packet(kBob, "x");
  const Bytes stage_1 = all<SendDatagram>(sent)[0]->bytes;
  alice.receive(kBobAt, only<SendDatagram>(bob.receive(kAliceAt, stage_1)).bytes);
  const LocalIndex session = alice.control.tunnels()[0].local_index;
  const auto moved = alice.moved(session, cafe);
  ASSERT_EQ(all<MoveSession>(moved).size(), 1U);

  const struct {
    std::string why;
    UnderlayAddr from;
    bool answered;
    std::string reason;
  } rows[] = {
      {"where the peer is", cafe, false, "forged"},
      {"where it was", kBobAt, false, "forged"},
      {"the wrong host, which case 3a leaves with our index", kEveAt, true, "forged_by_stranger"},
      {"ourselves", kAliceAt, false, "own_address"},
      {"no port", {kEveAt.ip, 0}, false, "no_port"},
  };
  for (const auto& [why, from, answered, reason] : rows) {
    SCOPED_TRACE(why);
    const Actions out = alice.forged(session, from);
    EXPECT_EQ(reasons(out), Strings{reason});
    ASSERT_EQ(all<SendDatagram>(out).size(), answered ? 1U : 0U);
    if (!answered) continue;
    EXPECT_EQ(only<SendDatagram>(out).to, from);
    const auto header = wire::parse_header(only<SendDatagram>(out).bytes);
    EXPECT_EQ(header->type, MessageType::kRecvError);
    EXPECT_EQ(header->index, session.raw());
  }
  int answers = 0;
  for (int i = 0; i < 1000; ++i)
    answers += static_cast<int>(all<SendDatagram>(alice.forged(session, kEveAt)).size());
  EXPECT_LE(answers, 10) << "limited as all of them";
  EXPECT_EQ(reasons(alice.forged(LocalIndex{1}, kEveAt)), Strings{"session_gone"});
}

TEST(WrongResponder, ItsAddressIsLeftOutOfLaterAttemptsToo) {
  Authority authority;
  ControlSettings settings = knowing(kBob, {kEveAt, kBobAt});
  settings.retries = 1;
  ControlHost alice(authority.shared_host("alice", "10.42.0.1/16", 0xa1), kAliceAt, settings, 1);
  ControlHost eve(authority.shared_host("eve", "10.42.0.3/16", 3), kEveAt, {}, 2);
  ControlHost bob(authority.shared_host("bob", "10.42.0.2/16", 0xb0), kBobAt, {}, 3);
  const auto targets = [](const Actions& out) {
    std::vector<UnderlayAddr> to;
    for (const SendDatagram* const one : all<SendDatagram>(out)) to.push_back(one->to);
    return to;
  };
  const Actions sent = alice.packet(kBob, "x");
  ASSERT_EQ(targets(sent), (std::vector{kEveAt, kBobAt}));
  const Bytes stage_1 = all<SendDatagram>(sent)[0]->bytes;
  const Actions wrong =
      alice.receive(kEveAt, only<SendDatagram>(eve.receive(kAliceAt, stage_1)).bytes);
  EXPECT_EQ(targets(wrong), std::vector{kBobAt});
  EXPECT_EQ(only<SendInSession>(wrong).type, MessageType::kCloseTunnel);
  alice.pass(1s);
  EXPECT_EQ(results(alice.tick()), Strings{"initiator timeout"});
  const Actions next = alice.packet(kBob, "y");
  EXPECT_EQ(targets(next), std::vector{kBobAt}) << "no handshake has completed yet";
  alice.receive(kBobAt,
                only<SendDatagram>(bob.receive(kAliceAt, only<SendDatagram>(next).bytes)).bytes);
  ASSERT_EQ(alice.control.tunnels_up(), 1U);
  alice.close(kBob);
  EXPECT_EQ(targets(alice.packet(kBob, "z")), (std::vector{kEveAt, kBobAt})) << "now one has";
}

TEST(RateLimit, ComesBeforeAnyCurveOperationAndAfterWhatIsFree) {
  Authority authority;
  Authority stranger(0x22);
  ControlSettings settings;
  settings.max_handshakes_per_second = 8;  // one for a prefix
  ControlHost bob(authority.shared_host("bob", "10.42.0.2/16", 0xb0), kBobAt, settings, 2);
  const auto stage_1_of = [&](const Authority& of, std::uint64_t seed) {
    ControlHost host(of.shared_host("alice", "10.42.0.1/16", 0xa1), kAliceAt,
                     knowing(kBob, {kBobAt}), seed);
    return only<SendDatagram>(host.packet(kBob, "x")).bytes;
  };
  for (std::uint64_t seed = 1; seed < 10; ++seed)
    EXPECT_EQ(reasons(bob.receive(kAliceAt, stage_1_of(stranger, seed))),
              Strings{"cert_unknown_issuer"})
        << "costs nobody's share";
  const Bytes good = stage_1_of(authority, 20);
  EXPECT_EQ(results(bob.receive(kAliceAt, good)), Strings{"responder ok"});
  EXPECT_EQ(reasons(bob.receive(kAliceAt, stage_1_of(authority, 21))),
            Strings{"handshake_rate_limited"});
  EXPECT_EQ(kinds(bob.receive(kAliceAt, good)), Strings{"SendDatagram"})
      << "a repeat costs nothing";
  EXPECT_EQ(results(bob.receive(at("198.51.100.1:9"), stage_1_of(authority, 22))),
            Strings{"responder ok"})
      << "another prefix";
  bob.pass(1s);
  EXPECT_EQ(results(bob.receive(kAliceAt, stage_1_of(authority, 23))), Strings{"responder ok"});
}

}  // namespace
}  // namespace magnetar
