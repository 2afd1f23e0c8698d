// SPDX-License-Identifier: Apache-2.0
// What outlives a tunnel: the newest Time of a peer, and where somebody else answered.
#include "controlplane/tunnel/remembered.h"

#include <gtest/gtest.h>

#include "tests/unit/controlplane/tunnel/pair.h"

namespace magnetar {
namespace {

using namespace testing;
using namespace std::chrono_literals;
using wire::MessageType;

constexpr Instant kStart{1000s};

TEST(NewestTimes, OldAndRepeatedOnesAreRefusedForAWhile) {
  NewestTimes times;
  times.note(kAlice, 50, kStart);
  times.note(kAlice, 40, kStart);
  const struct {
    const char* why;
    VpnAddr peer;
    std::uint64_t time;
    Duration after;
    bool old;
  } rows[] = {
      {"a repeat", kAlice, 50, 0s, true},
      {"older", kAlice, 49, 599s, true},
      {"newer", kAlice, 51, 0s, false},
      {"another peer's", kBob, 1, 0s, false},
      {"a clock that was set back must not lock its owner out", kAlice, 1, 600s, false},
  };
  for (const auto& [why, peer, time, after, old] : rows)
    EXPECT_EQ(times.is_old(peer, time, kStart + after), old) << why;
  times.forget(kAlice);
  EXPECT_FALSE(times.is_old(kAlice, 1, kStart));
}

TEST(NewestTimes, MemoryIsBounded) {
  NewestTimes times;
  for (std::uint32_t i = 0; i <= NewestTimes::kPeers; ++i)
    times.note(VpnAddr{IpAddr::v4(i)}, 5, kStart);
  EXPECT_EQ(times.peers().size(), NewestTimes::kPeers);
  EXPECT_FALSE(times.is_old(VpnAddr{IpAddr::v4(0)}, 1, kStart)) << "the least recent one went";
}

TEST(WrongAddresses, AreLeftOutForAMinuteAndNeverTooMany) {
  WrongAddresses wrong;
  wrong.add(kBob, kEveAt, kStart);
  EXPECT_TRUE(wrong.contains(kBob, kEveAt, kStart + 59s));
  EXPECT_FALSE(wrong.contains(kBob, kEveAt, kStart + 60s)) << "the right host may be there now";
  EXPECT_FALSE(wrong.contains(kAlice, kEveAt, kStart)) << "for that peer only";
  for (std::uint16_t port = 1; port <= WrongAddresses::kPerPeer; ++port)
    wrong.add(kBob, {kBobAt.ip, port}, kStart);
  EXPECT_FALSE(wrong.contains(kBob, kEveAt, kStart)) << "the first one went";
  EXPECT_TRUE(wrong.contains(kBob, {kBobAt.ip, 1}, kStart));
  wrong.forget(kBob);
  EXPECT_FALSE(wrong.contains(kBob, {kBobAt.ip, 1}, kStart));
}

// A tunnel that alice started and on which bob heard her.
Pair::Stood confirmed(Pair& pair) {
  const auto stood = pair.stand();
  pair.bob.message(stood.bob, MessageType::kTest, 1);
  return stood;
}

TEST(NewestTimes, AStage1ReplayedAfterTheTunnelGetsNoAnswer) {
  Pair pair;
  const auto stood = confirmed(pair);
  pair.bob.message(stood.bob, MessageType::kCloseTunnel, 0);
  ASSERT_EQ(pair.bob.control.tunnels_up(), 0U);
  const Actions replayed = pair.bob.receive(kAliceAt, stood.stage_1);
  EXPECT_EQ(reasons(replayed), Strings{"stage1_too_old"});
  EXPECT_TRUE(all<SendDatagram>(replayed).empty());
  EXPECT_EQ(pair.bob.control.tunnels_up(), 0U);

  pair.alice.close(kBob);
  pair.pass(1s);
  pair.stand();
  EXPECT_EQ(pair.bob.control.tunnels_up(), 1U) << "a new one does";
}

TEST(NewestTimes, OneThatWasNeverConfirmedMayComeAgain) {
  Pair pair;
  const auto stood = pair.stand();
  pair.bob.close(kAlice);
  EXPECT_EQ(all<SendDatagram>(pair.bob.receive(kAliceAt, stood.stage_1)).size(), 1U)
      << "anybody could have made it up, with any Time";
}

TEST(NewestTimes, APeerThatLostItsMemoryMayHaveLostItsClock) {
  Pair pair;
  const auto stood = confirmed(pair);
  Bytes packet(wire::Header::kSize);
  wire::write_header(std::span(packet).first<wire::Header::kSize>(),
                     {.type = MessageType::kRecvError, .index = stood.alice.raw()});
  pair.bob.receive(kAliceAt, packet);
  ASSERT_EQ(pair.bob.control.tunnels_up(), 0U);
  ControlHost again(pair.authority.shared_host("alice", "10.42.0.1/16", 0xa1), kAliceAt,
                    knowing(kBob, {kBobAt}), 9);
  again.now.wall -= std::chrono::hours(1);
  const Actions out = pair.bob.receive(kAliceAt, only<SendDatagram>(again.packet(kBob, "x")).bytes);
  EXPECT_EQ(results(out), Strings{"responder ok"});
}

}  // namespace
}  // namespace magnetar
