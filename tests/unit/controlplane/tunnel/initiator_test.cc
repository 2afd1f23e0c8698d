// SPDX-License-Identifier: Apache-2.0
// Handshakes we start: schedule, queue, and what comes back.
#include <gtest/gtest.h>

#include "controlplane/tunnel/initiator_side.h"
#include "tests/unit/controlplane/tunnel/pair.h"

namespace magnetar {
namespace {

using namespace testing;
using namespace std::chrono_literals;

TEST(Initiator, WithoutAnAddressNothingIsKept) {
  Pair pair;
  EXPECT_EQ(reasons(pair.alice.packet(kEve, "x")), Strings{"no_address"});
  EXPECT_EQ(pair.alice.control.tunnels_pending(), 0U);
  EXPECT_FALSE(pair.alice.control.next_timeout());
}

TEST(Initiator, OurOwnUnderlayAddressIsNeverAPeers) {
  Authority authority;
  ControlHost alice(authority.shared_host("alice", "10.42.0.1/16", 1), kAliceAt,
                    knowing(kBob, {kAliceAt}));
  EXPECT_EQ(reasons(alice.packet(kBob, "x")), Strings{"no_address"});
}

TEST(Initiator, PacketsToOurselvesStartNothing) {
  Authority authority;
  ControlHost alice(authority.shared_host("alice", "10.42.0.1/16", 1), kAliceAt,
                    knowing(kAlice, {kBobAt}));
  EXPECT_EQ(reasons(alice.packet(kAlice, "x")), Strings{"to_ourselves"});
}

TEST(Initiator, SendsTheSameStage1OnNebulasScheduleThenGivesUp) {
  Pair pair;
  const Instant start = pair.alice.now.steady;
  const Bytes first = pair.stage_1();
  // Transmission n is followed by n intervals of 100 ms.
  const Duration due[] = {100ms, 300ms, 600ms, 1000ms, 1500ms, 2100ms, 2800ms, 3600ms, 4500ms};
  for (const Duration time : due) {
    SCOPED_TRACE(time.count());
    EXPECT_EQ(pair.alice.control.next_timeout(), start + time);
    pair.pass(start + time - 1ns - pair.alice.now.steady);
    EXPECT_TRUE(pair.alice.tick().empty()) << "too early";
    pair.pass(1ns);
    const Actions sent = pair.alice.tick();
    EXPECT_EQ(kinds(sent), Strings{"SendDatagram"});
    EXPECT_EQ(only<SendDatagram>(sent).bytes, first);
    EXPECT_EQ(only<SendDatagram>(sent).to, kBobAt);
  }
  EXPECT_EQ(pair.alice.control.next_timeout(), start + 5500ms);
  pair.pass(start + 5500ms - pair.alice.now.steady);
  const Actions gave_up = pair.alice.tick();
  EXPECT_EQ(reasons(gave_up), Strings{"queue_lost"});
  EXPECT_EQ(results(gave_up), Strings{"initiator timeout"});
  EXPECT_TRUE(all<SendDatagram>(gave_up).empty());
  EXPECT_EQ(pair.alice.control.tunnels_pending(), 0U);
  EXPECT_FALSE(pair.alice.control.next_timeout());

  EXPECT_NE(pair.stage_1(), first) << "the next packet starts a fresh handshake";
}

TEST(Initiator, ALateTimerSendsOnceAndGoesOn) {
  Pair pair;
  pair.stage_1();
  pair.pass(2s);
  EXPECT_EQ(kinds(pair.alice.tick()), Strings{"SendDatagram"});
  EXPECT_EQ(pair.alice.control.next_timeout(), pair.alice.now.steady + 100ms);
}

TEST(Initiator, SendsToEveryStaticAddress) {
  Authority authority;
  ControlHost alice(authority.shared_host("alice", "10.42.0.1/16", 1), kAliceAt,
                    knowing(kBob, {kEveAt, kAliceAt, kBobAt}));
  std::vector<UnderlayAddr> sent;
  const Actions out = alice.packet(kBob, "x");
  for (const SendDatagram* one : all<SendDatagram>(out)) sent.push_back(one->to);
  EXPECT_EQ(sent, (std::vector{kEveAt, kBobAt})) << "but not to ourselves";
}

TEST(Initiator, QueuesUpToTheLimitAndFlushesInOrder) {
  Authority authority;
  ControlSettings settings = knowing(kBob, {kBobAt});
  settings.queued_packets = 3;
  ControlHost alice(authority.shared_host("alice", "10.42.0.1/16", 1), kAliceAt, settings);
  ControlHost bob(authority.shared_host("bob", "10.42.0.2/16", 2), kBobAt);
  const Bytes stage_1 = only<SendDatagram>(alice.packet(kBob, "1")).bytes;
  EXPECT_TRUE(alice.packet(kBob, "2").empty());
  EXPECT_TRUE(alice.packet(kBob, "3").empty());
  EXPECT_EQ(reasons(alice.packet(kBob, "4")), Strings{"queue_full"}) << "the newest is lost";

  const Actions stood =
      alice.receive(kBobAt, only<SendDatagram>(bob.receive(kAliceAt, stage_1)).bytes);
  Strings flushed;
  for (const QueuedPacket& one : only<SendQueued>(stood).packets) flushed.push_back(text_of(one));
  EXPECT_EQ(flushed, (Strings{"1", "2", "3"}));
  EXPECT_EQ(only<SendQueued>(stood).session, only<OpenSession>(stood).local);
  EXPECT_EQ(results(stood), Strings{"initiator ok"});
}

TEST(Initiator, TellsHowLongAHandshakeTook) {
  Pair pair;
  const Bytes stage_1 = pair.stage_1();
  const Bytes stage_2 = only<SendDatagram>(pair.bob.receive(kAliceAt, stage_1)).bytes;
  pair.pass(42ms);
  EXPECT_EQ(only<HandshakeEnded>(pair.alice.receive(kBobAt, stage_2)).duration, 42ms);
}

TEST(Initiator, APacketThatComesAfterTheTunnelStoodLeavesThroughIt) {
  Pair pair;
  const auto stood = pair.stand();
  const Actions out = pair.alice.packet(kBob, "late");
  EXPECT_EQ(kinds(out), Strings{"SendQueued"});
  EXPECT_EQ(only<SendQueued>(out).session, stood.alice);
}

TEST(Initiator, BothEndsHoldMatchingKeys) {
  Pair pair;
  const Actions answered = pair.bob.receive(kAliceAt, pair.stage_1());
  const Actions stood = pair.alice.receive(kBobAt, only<SendDatagram>(answered).bytes);
  const auto& bobs = only<OpenSession>(answered);
  const auto& alices = only<OpenSession>(stood);
  EXPECT_TRUE(alices.send_key == bobs.receive_key);
  EXPECT_TRUE(alices.receive_key == bobs.send_key);
  EXPECT_FALSE(alices.send_key == alices.receive_key);
  EXPECT_EQ(alices.local.raw(), bobs.remote.raw());
  EXPECT_EQ(alices.remote.raw(), bobs.local.raw());
}

TEST(Initiator, NoBrokenStage2ChangesAnything) {
  Pair pair;
  const Bytes good = only<SendDatagram>(pair.bob.receive(kAliceAt, pair.stage_1())).bytes;
  const auto refuses = [&](ByteView broken) {
    const Actions out = pair.alice.receive(kEveAt, broken);
    ASSERT_EQ(kinds(out), Strings{"Refused"});
    ASSERT_EQ(pair.alice.control.tunnels_pending(), 1U);
  };
  for (std::size_t length = wire::Header::kSize; length < good.size(); ++length) {
    SCOPED_TRACE(length);
    refuses(ByteView(good).first(length));
  }
  for (std::size_t i = wire::Header::kSize; i < good.size(); ++i) {
    SCOPED_TRACE(i);
    Bytes flipped = good;
    flipped[i] ^= std::byte{0x01};
    refuses(flipped);
  }
  EXPECT_EQ(results(pair.alice.receive(kBobAt, good)), Strings{"initiator ok"});
  EXPECT_EQ(reasons(pair.alice.receive(kBobAt, good)), Strings{"stage2_unknown"}) << "a repeat";
}

TEST(Initiator, Stage2WithALowOrderKeyIsRefused) {
  Pair pair;
  Bytes broken = only<SendDatagram>(pair.bob.receive(kAliceAt, pair.stage_1())).bytes;
  std::ranges::fill(std::span(broken).subspan(wire::Header::kSize, 32), std::byte{0});
  EXPECT_EQ(reasons(pair.alice.receive(kBobAt, broken)), Strings{"low_order_key"});
  EXPECT_EQ(pair.alice.control.tunnels_pending(), 1U);
}

TEST(Initiator, AnAnswerNobodyVouchesForDoesNotEndTheHandshake) {
  Pair pair;
  const Bytes stage_1 = pair.stage_1();
  // Eve saw stage 1 on its way and answers it as bob, with a certificate of her own making. She
  // trusts alice's authority, or she would not answer at all.
  Identity forged = Authority(0x66).host("bob", "10.42.0.2/16", 0xee);
  ASSERT_TRUE(forged.cas.add(pair.authority.certificate()));
  ControlHost eve(std::make_shared<const Identity>(std::move(forged)), kEveAt);
  const Actions forgery = eve.receive(kAliceAt, stage_1);
  const Actions out = pair.alice.receive(kEveAt, only<SendDatagram>(forgery).bytes);
  EXPECT_EQ(kinds(out), (Strings{"Refused", "LogEvent"}));
  EXPECT_EQ(reasons(out), Strings{"cert_unknown_issuer"});
  EXPECT_EQ(only<LogEvent>(out).level, LogLevel::kDebug);

  const Actions answered = pair.bob.receive(kAliceAt, stage_1);
  EXPECT_EQ(results(pair.alice.receive(kBobAt, only<SendDatagram>(answered).bytes)),
            Strings{"initiator ok"});
}

TEST(Initiator, AHandshakeThatOnlyGotBadAnswersEndsWithTheirReason) {
  Pair pair;
  const auto expired = [](proto::CertificateDetails& details) {
    details.set_not_after(1'720'000'000);
  };
  ControlHost old_bob(pair.authority.shared_host("bob", "10.42.0.2/16", 0xb1, expired), kBobAt);
  const Actions answered = old_bob.receive(kAliceAt, pair.stage_1());
  EXPECT_EQ(reasons(pair.alice.receive(kBobAt, only<SendDatagram>(answered).bytes)),
            Strings{"cert_expired"});
  Strings ended;
  while (pair.alice.control.next_timeout()) {
    pair.pass(*pair.alice.control.next_timeout() - pair.alice.now.steady);
    for (const std::string& result : results(pair.alice.tick())) ended.push_back(result);
  }
  EXPECT_EQ(ended, Strings{"initiator cert_expired"});
}

// handshake.md section 7.1.
struct WrongResponder {
  Pair pair;
  ControlHost eve{pair.authority.shared_host("eve", "10.42.0.3/16", 0xe0), kEveAt};
  ControlHost alice{pair.authority.shared_host("alice", "10.42.0.1/16", 0xa1), kAliceAt,
                    knowing(kBob, {kEveAt, kBobAt}), 9};
};

TEST(Initiator, AWrongResponderIsToldAndLeftOut) {
  WrongResponder w;
  const Bytes stage_1 = all<SendDatagram>(w.alice.packet(kBob, "1"))[0]->bytes;
  w.alice.packet(kBob, "2");
  const Actions eves = w.eve.receive(kAliceAt, stage_1);
  const Actions out = w.alice.receive(kEveAt, only<SendDatagram>(eves).bytes);

  EXPECT_EQ(kinds(out), (Strings{"LogEvent", "Refused", "HandshakeEnded", "OpenSession",
                                 "SendInSession", "CloseSession", "AwaitSession", "SendDatagram"}));
  EXPECT_EQ(reasons(out), Strings{"wrong_responder"});
  EXPECT_EQ(results(out), Strings{"initiator wrong_responder"});
  const auto& told = only<OpenSession>(out);
  EXPECT_TRUE(told.send_key == only<OpenSession>(eves).receive_key);
  EXPECT_EQ(told.remote_addr, kEveAt);
  EXPECT_EQ(told.overlay_addrs, std::vector{kEve});
  EXPECT_EQ(only<SendInSession>(out).type, wire::MessageType::kCloseTunnel);
  EXPECT_EQ(only<SendInSession>(out).session, told.local);
  EXPECT_EQ(only<CloseSession>(out).session, told.local);
  const auto& again = only<SendDatagram>(out);
  EXPECT_EQ(again.to, kBobAt) << "at once, and not to eve";
  EXPECT_NE(again.bytes, stage_1);

  // The right host answers the dead attempt: too late. Then the new one.
  const Actions late = w.pair.bob.receive(kAliceAt, stage_1);
  EXPECT_EQ(reasons(w.alice.receive(kBobAt, only<SendDatagram>(late).bytes)),
            Strings{"stage2_unknown"});
  const Actions right = w.pair.bob.receive(kAliceAt, again.bytes);
  const Actions stood = w.alice.receive(kBobAt, only<SendDatagram>(right).bytes);
  EXPECT_EQ(results(stood), Strings{"initiator ok"});
  EXPECT_EQ(only<SendQueued>(stood).packets.size(), 2U) << "nothing queued was lost";
}

TEST(Initiator, ABlockedAddressStaysOutOfEveryRetransmission) {
  WrongResponder w;
  const Bytes stage_1 = all<SendDatagram>(w.alice.packet(kBob, "1"))[0]->bytes;
  w.alice.receive(kEveAt, only<SendDatagram>(w.eve.receive(kAliceAt, stage_1)).bytes);
  int sent = 0;
  while (w.alice.control.next_timeout()) {
    w.alice.pass(*w.alice.control.next_timeout() - w.alice.now.steady);
    const Actions fired = w.alice.tick();
    for (const SendDatagram* one : all<SendDatagram>(fired)) {
      EXPECT_EQ(one->to, kBobAt);
      ++sent;
    }
  }
  EXPECT_EQ(sent, 9) << "the new attempt has all its transmissions";
}

TEST(Initiator, TheWrongHostAloneEndsInATimeout) {
  Pair pair;
  ControlHost eve(pair.authority.shared_host("eve", "10.42.0.3/16", 0xe0), kBobAt);
  const Bytes stage_1 = pair.stage_1();
  const Actions out =
      pair.alice.receive(kBobAt, only<SendDatagram>(eve.receive(kAliceAt, stage_1)).bytes);
  EXPECT_TRUE(all<SendDatagram>(out).empty()) << "the only address is blocked";
  Strings ended;
  while (pair.alice.control.next_timeout()) {
    pair.pass(*pair.alice.control.next_timeout() - pair.alice.now.steady);
    const Actions fired = pair.alice.tick();
    EXPECT_TRUE(all<SendDatagram>(fired).empty());
    for (const std::string& result : results(fired)) ended.push_back(result);
  }
  EXPECT_EQ(ended, Strings{"initiator timeout"});
}

TEST(Initiator, AFullTableKeepsNothing) {
  Authority authority;
  ControlSettings settings = knowing(kBob, {kBobAt});
  settings.static_remotes[kEve] = {kEveAt};
  settings.max_tunnels = 1;
  ControlHost alice(authority.shared_host("alice", "10.42.0.1/16", 1), kAliceAt, settings);
  EXPECT_EQ(kinds(alice.packet(kBob, "x")), (Strings{"AwaitSession", "SendDatagram"}));
  EXPECT_EQ(kinds(alice.packet(kEve, "x")), Strings{"Refused"});
  EXPECT_EQ(reasons(alice.packet(kEve, "x")), Strings{"table_full"});
  EXPECT_EQ(alice.control.tunnels_pending(), 1U);
  EXPECT_EQ(results(alice.close(kBob)), Strings{"initiator closed"});
  EXPECT_EQ(kinds(alice.packet(kEve, "x")), (Strings{"AwaitSession", "SendDatagram"}))
      << "the slot is free again";
}

TEST(Initiator, EveryIndexThatIsAwaitedIsOpenedOrGivenUp) {
  Pair pair;
  ControlHost alice{pair.authority.shared_host("alice", "10.42.0.1/16", 0xa1), kAliceAt,
                    knowing(kBob, {kBobAt})};
  const Actions first = alice.packet(kBob, "x");
  const LocalIndex closed = only<AwaitSession>(first).local;
  EXPECT_EQ(only<UnawaitSession>(alice.close(kBob)).local, closed);

  const LocalIndex timed_out = only<AwaitSession>(alice.packet(kBob, "x")).local;
  std::vector<LocalIndex> given_up;
  for (int second = 0; second < 60; ++second) {
    alice.pass(std::chrono::seconds(1));
    const Actions out = alice.tick();
    for (const UnawaitSession* one : all<UnawaitSession>(out)) given_up.push_back(one->local);
  }
  EXPECT_EQ(given_up, std::vector{timed_out});
}

TEST(Initiator, TheTimeOfAStage1NeverRepeatsNorGoesBack) {
  Pair pair;
  pair.stand();
  pair.alice.now.wall -= 1h;  // the clock is set back
  pair.alice.close(kBob);
  const Actions answered = pair.bob.receive(kAliceAt, pair.stage_1());
  EXPECT_EQ(results(answered), Strings{"responder ok"}) << "bob still holds the first tunnel";
}

}  // namespace
}  // namespace magnetar
