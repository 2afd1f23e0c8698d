// SPDX-License-Identifier: Apache-2.0
// What happens to a tunnel that stands.
#include "controlplane/tunnel/session_events.h"

#include <gtest/gtest.h>

#include "tests/unit/controlplane/tunnel/pair.h"

namespace magnetar {
namespace {

using namespace testing;
using namespace std::chrono_literals;
using wire::MessageType;

Bytes recv_error(std::uint32_t index) {
  Bytes packet(wire::Header::kSize);
  wire::write_header(std::span(packet).first<wire::Header::kSize>(),
                     {.type = MessageType::kRecvError, .index = index});
  return packet;
}

TEST(SessionEvents, ATestRequestIsEchoed) {
  Pair pair;
  const auto stood = pair.stand();
  for (const std::size_t size : {0U, 1U, 16U, 17U, 1400U, 8940U}) {
    SCOPED_TRACE(size);
    const Bytes body(size, std::byte{0x5a});
    const Actions out = pair.bob.message(stood.bob, MessageType::kTest, 0, body);
    const auto& reply = only<SendInSession>(out);
    EXPECT_EQ(reply.type, MessageType::kTest);
    EXPECT_EQ(reply.subtype, wire::kSubtypeTestReply);
    EXPECT_EQ(reply.plaintext, body);
    EXPECT_EQ(reply.session, stood.bob);
  }
  EXPECT_EQ(reasons(pair.bob.message(stood.bob, MessageType::kTest, 0, Bytes(8941))),
            Strings{"test_too_long"});
  EXPECT_TRUE(pair.bob.message(stood.bob, MessageType::kTest, 1, Bytes(4)).empty()) << "a reply";
}

TEST(SessionEvents, MessagesOfLaterIssuesAreCounted) {
  Pair pair;
  const auto stood = pair.stand();
  EXPECT_EQ(reasons(pair.bob.message(stood.bob, MessageType::kLighthouse, 0)),
            Strings{"lighthouse_unsupported"});
  EXPECT_EQ(reasons(pair.bob.message(stood.bob, MessageType::kControl, 0)),
            Strings{"control_unsupported"});
  EXPECT_EQ(pair.bob.control.tunnels_up(), 1U);
}

TEST(SessionEvents, CloseTunnelClosesThatTunnelAndPromotesTheNext) {
  Pair pair;
  const auto first = pair.stand();
  pair.pass(1s);
  pair.alice.close(kBob);
  const auto second = pair.stand();

  const Actions one = pair.bob.message(second.bob, MessageType::kCloseTunnel, 0);
  EXPECT_EQ(kinds(one), (Strings{"RoutePeer", "CloseSession", "LogEvent"})) << "no reply";
  EXPECT_EQ(only<RoutePeer>(one).session, first.bob);
  EXPECT_EQ(only<CloseSession>(one).session, second.bob);

  const Actions two = pair.bob.message(first.bob, MessageType::kCloseTunnel, 0);
  EXPECT_EQ(kinds(two), (Strings{"UnroutePeer", "CloseSession", "LogEvent"}));
  EXPECT_EQ(only<UnroutePeer>(two).addr, kAlice);
  EXPECT_EQ(pair.bob.control.tunnels_up(), 0U);
  EXPECT_EQ(reasons(pair.bob.message(first.bob, MessageType::kCloseTunnel, 0)),
            Strings{"session_gone"});
}

TEST(SessionEvents, ClosingAnOlderTunnelLeavesTheRouteAlone) {
  Pair pair;
  const auto first = pair.stand();
  pair.pass(1s);
  pair.alice.close(kBob);
  pair.stand();
  EXPECT_EQ(kinds(pair.bob.message(first.bob, MessageType::kCloseTunnel, 0)),
            (Strings{"CloseSession", "LogEvent"}));
}

TEST(SessionEvents, TheOperatorsCloseTellsThePeer) {
  Pair pair;
  const auto stood = pair.stand();
  Actions out;
  EXPECT_FALSE(pair.alice.control.close(kEve, pair.alice.now, out));
  EXPECT_TRUE(out.empty());
  EXPECT_TRUE(pair.alice.control.close(kBob, pair.alice.now, out));
  EXPECT_EQ(kinds(out), (Strings{"SendInSession", "UnroutePeer", "CloseSession", "LogEvent"}));
  EXPECT_EQ(only<SendInSession>(out).type, MessageType::kCloseTunnel);
  EXPECT_EQ(only<SendInSession>(out).session, stood.alice);
}

TEST(SessionEvents, ShutdownClosesEverything) {
  Pair pair;
  ControlHost eve(pair.authority.shared_host("eve", "10.42.0.3/16", 3), kEveAt,
                  knowing(kBob, {kBobAt}));
  pair.stand();
  pair.bob.receive(kEveAt, only<SendDatagram>(eve.packet(kBob, "x")).bytes);
  ASSERT_EQ(pair.bob.control.tunnels_up(), 2U);
  Actions out;
  pair.bob.control.close_all(pair.bob.now, out);
  EXPECT_EQ(all<SendInSession>(out).size(), 2U);
  EXPECT_EQ(all<CloseSession>(out).size(), 2U);
  EXPECT_TRUE(pair.bob.control.tunnels().empty());

  out.clear();
  eve.control.close_all(eve.now, out);
  EXPECT_EQ(results(out), Strings{"initiator closed"});
  EXPECT_EQ(reasons(out), Strings{"queue_lost"});
  EXPECT_FALSE(eve.control.next_timeout());
}

TEST(SessionEvents, ARecvErrorOfThePeerClosesTheTunnelAtOnce) {
  Pair pair;
  const auto stood = pair.stand();
  EXPECT_EQ(reasons(pair.alice.receive(kBobAt, recv_error(stood.alice.raw()))),
            Strings{"recv_error_unknown"})
      << "it names the index the peer gave us, not ours";
  EXPECT_EQ(reasons(pair.alice.receive(kEveAt, recv_error(stood.bob.raw()))),
            Strings{"recv_error_spoofed"});
  EXPECT_EQ(pair.alice.control.tunnels_up(), 1U);
  const Actions out = pair.alice.receive(kBobAt, recv_error(stood.bob.raw()));
  EXPECT_EQ(kinds(out), (Strings{"UnroutePeer", "CloseSession", "LogEvent"}));
  EXPECT_EQ(pair.alice.control.tunnels_up(), 0U);
}

TEST(SessionEvents, AnUnknownIndexIsAnsweredWithARecvError) {
  Pair pair;
  const Actions out = pair.bob.unknown_index(kAliceAt, 0x99aabbcc);
  EXPECT_EQ(kinds(out), (Strings{"SendDatagram", "Refused"}));
  EXPECT_EQ(only<SendDatagram>(out).bytes, recv_error(0x99aabbcc));
  EXPECT_EQ(only<SendDatagram>(out).to, kAliceAt);
  EXPECT_EQ(reasons(out), Strings{"unknown_index"});
}

TEST(SessionEvents, RecvErrorsAreLimited) {
  Pair pair;
  int sent = 0;
  for (int i = 0; i < 1000; ++i) {
    const Actions out = pair.bob.unknown_index(kAliceAt, 5);
    sent += static_cast<int>(all<SendDatagram>(out).size());
    if (all<SendDatagram>(out).empty()) {
      EXPECT_EQ(reasons(out), Strings{"recv_error_rate_limited"});
    }
  }
  EXPECT_EQ(sent, 10);
}

TEST(SessionEvents, SomeIndexesAreNeverAnswered) {
  Pair pair;
  const Bytes stage_1 = pair.stage_1();
  const LocalIndex pending = pair.alice.control.tunnels()[0].local_index;
  EXPECT_EQ(reasons(pair.alice.unknown_index(kBobAt, pending.raw())), Strings{"index_not_ready"})
      << "the peer's data may overtake its stage 2";
  pair.bob.receive(kAliceAt, stage_1);
  const LocalIndex live = pair.bob.control.tunnels()[0].local_index;
  EXPECT_EQ(reasons(pair.bob.unknown_index(kAliceAt, live.raw())), Strings{"index_not_ready"});
  EXPECT_EQ(reasons(pair.bob.unknown_index({kAliceAt.ip, 0}, 5)), Strings{"no_port"});
  EXPECT_EQ(reasons(pair.bob.unknown_index(kBobAt, 5)), Strings{"own_address"});
}

TEST(SessionEvents, APeerMovesButNotBackWithinTwoSeconds) {
  const UnderlayAddr cafe = at("198.51.100.7:1000");
  const UnderlayAddr train = at("198.51.100.8:1000");
  const struct {
    std::string why;
    Duration after;
    UnderlayAddr from;
    bool moves;
  } steps[] = {
      {"where it is", 0s, kAliceAt, false},
      {"a new address", 0s, cafe, true},
      {"the old one at once: in flight", 1999ms, kAliceAt, false},
      {"a third", 0s, train, true},
      {"back to the first: not where it just left", 0s, kAliceAt, true},
      {"back to the third at once", 1s, train, false},
      {"back to the third after two seconds", 1s, train, true},
      {"ourselves", 10s, kBobAt, false},
      {"no port", 10s, UnderlayAddr{cafe.ip, 0}, false},
  };
  Pair pair;
  const auto stood = pair.stand();
  for (const auto& [why, after, from, moves] : steps) {
    SCOPED_TRACE(why);
    pair.pass(after);
    const Actions out = pair.bob.moved(stood.bob, from);
    ASSERT_EQ(all<MoveSession>(out).size(), moves ? 1U : 0U);
    if (moves) {
      EXPECT_EQ(only<MoveSession>(out).remote_addr, from);
      EXPECT_EQ(pair.bob.control.tunnels()[0].remote, from);
    }
  }
  EXPECT_EQ(reasons(pair.bob.moved(LocalIndex{1}, cafe)), Strings{"session_gone"});
}

TEST(SessionEvents, ARecvErrorMustComeFromWhereThePeerIsNow) {
  const UnderlayAddr cafe = at("198.51.100.7:1000");
  Pair pair;
  const auto stood = pair.stand();
  pair.alice.moved(stood.alice, cafe);
  EXPECT_EQ(reasons(pair.alice.receive(kBobAt, recv_error(stood.bob.raw()))),
            Strings{"recv_error_spoofed"});
  EXPECT_EQ(all<CloseSession>(pair.alice.receive(cafe, recv_error(stood.bob.raw()))).size(), 1U);
}

TEST(SessionEvents, WhatTheOperatorSees) {
  Pair pair;
  pair.stage_1();
  const TunnelView pending = pair.alice.control.tunnels().at(0);
  EXPECT_EQ(pending.overlay_addrs, std::vector{kBob});
  EXPECT_FALSE(pending.up);
  EXPECT_TRUE(pending.initiator);
  EXPECT_FALSE(pending.remote);

  pair.alice.close(kBob);
  const auto stood = pair.stand();
  const TunnelView up = pair.alice.control.tunnels().at(0);
  EXPECT_EQ(up.overlay_addrs, std::vector{kBob});
  EXPECT_EQ(up.name, "bob");
  EXPECT_EQ(up.remote, kBobAt);
  EXPECT_EQ(up.local_index, stood.alice);
  EXPECT_EQ(up.remote_index.raw(), stood.bob.raw());
  EXPECT_TRUE(up.up && up.primary && up.initiator);
  EXPECT_EQ(up.cert_expires, WallTime{std::chrono::seconds(1'800'000'000)});
  EXPECT_FALSE(pair.bob.control.tunnels().at(0).initiator);
}

}  // namespace
}  // namespace magnetar
