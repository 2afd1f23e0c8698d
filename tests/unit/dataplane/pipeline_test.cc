// SPDX-License-Identifier: Apache-2.0
// Both pipelines over memory ports: two gateways facing each other.
#include <gtest/gtest.h>

#include "tests/support/inner_packets.h"
#include "tests/unit/dataplane/pair.h"

namespace magnetar {
namespace {

using testing::DataPlane;
using testing::ipv4;
using testing::ipv6;
using testing::kAlice;
using testing::kBob;
using testing::kBobsPlace;
using testing::kStranger;
using testing::Pair;
using testing::PeerSpec;

TEST(Pipelines, CarryPacketsOfEverySizeUnchanged) {
  for (const Cipher cipher : {Cipher::kAes256Gcm, Cipher::kChaCha20Poly1305}) {
    Pair pair(cipher);
    for (std::size_t size = 0; size <= 1400; size += 7) {
      const Bytes packet = ipv4(kAlice, kBob, size);
      pair.to_bob_now(pair.sealed(packet));
      const auto delivered = pair.bob.inside.take_sent();
      ASSERT_EQ(delivered.size(), 1U) << size;
      EXPECT_EQ(delivered.front(), packet);
    }
    EXPECT_EQ(pair.alice.all_drops() + pair.bob.all_drops(), 0U);
    EXPECT_TRUE(pair.alice.adds_up());
    EXPECT_TRUE(pair.bob.adds_up());
  }
}

TEST(Pipelines, KeepOrderAndNumberFromThree) {
  Pair pair;
  std::vector<Bytes> packets;
  for (std::size_t i = 0; i < 150; ++i) {
    packets.push_back(ipv4(kAlice, kBob, i));
    pair.alice.inside.arrive(packets.back());
  }
  pair.alice.run_until_idle();
  std::uint64_t expected = 3;
  for (const Bytes& frame : pair.alice.outside.take_sent()) {
    const auto header = wire::parse_header(ByteView(frame).subspan(42));
    ASSERT_TRUE(header);
    EXPECT_EQ(header->counter, Counter{expected++});
    EXPECT_EQ(header->index, 0xbbbb0002U);
    pair.bob.outside.arrive(frame);
  }
  pair.bob.run_until_idle();
  EXPECT_EQ(pair.bob.inside.take_sent(), packets);
}

TEST(Pipelines, OverIpv6Underlay) {
  DataPlane alice(Cipher::kAes256Gcm);
  PeerSpec spec = Pair::to_bob();
  spec.addr = *UnderlayAddr::parse("[2001:db8::2]:4242");
  alice.add_peer(spec);
  alice.inside.arrive(ipv4(kAlice, kBob, 100));
  alice.run_until_idle();
  const auto frames = alice.outside.take_sent();
  ASSERT_EQ(frames.size(), 1U);
  wire::OuterView view;
  ASSERT_EQ(wire::parse_outer(frames.front(), view), Verdict::kForward);
  EXPECT_EQ(view.destination(), *IpAddr::parse("2001:db8::2"));
}

TEST(Pipelines, Ipv6InsideTakesTheSameRoad) {
  DataPlane alice(Cipher::kAes256Gcm);
  DataPlane bob(Cipher::kAes256Gcm, kBob, kBobsPlace);
  PeerSpec to_bob = Pair::to_bob();
  to_bob.overlay = {*IpAddr::parse("fd42::2")};
  PeerSpec to_alice = Pair::to_alice();
  to_alice.overlay = {*IpAddr::parse("fd42::2")};  // as Bob sees it, the sender is fd42::2
  alice.add_peer(to_bob);
  bob.add_peer(to_alice);
  alice.inside.arrive(ipv6("fd42::1", "fd42::2", 50));
  alice.run_until_idle();
  for (const Bytes& frame : alice.outside.take_sent()) bob.outside.arrive(frame);
  bob.run_until_idle();
  EXPECT_EQ(bob.drops(Verdict::kWrongSource), 1U) << "fd42::1 is not in the peer's certificate";
}

// Packets of two tunnels alternate in one burst: each tunnel's leave in order, with counters in a
// row; what comes twice is delivered once, and each tunnel's window and tallies are its own.
TEST(Pipelines, MixedSessionsKeepTheirOrderAndTheirCounters) {
  Pair pair;
  const auto to_carol = [] {
    PeerSpec spec = Pair::to_bob();
    spec.local = LocalIndex{0xaaaa0003};
    spec.remote = RemoteIndex{0xcccc0003};
    spec.overlay = {IpAddr::v4(0x0a2a0003)};
    return spec;
  }();
  const Session& carol = pair.alice.add_peer(to_carol);
  PeerSpec carols = Pair::to_alice();  // Bob answers for Carol too, in a tunnel of her own
  carols.local = LocalIndex{0xcccc0003};
  carols.overlay = {IpAddr::v4(0x0a2a0009)};
  carols.unsafe_networks = {*Prefix::parse("10.42.0.1/32")};
  const Session& from_alice = pair.bob.add_peer(carols);
  std::vector<Bytes> to_bob;
  for (std::size_t i = 0; i < 10; ++i) {
    to_bob.push_back(ipv4(kAlice, kBob, 100 + i));
    pair.alice.inside.arrive(to_bob.back());
    pair.alice.inside.arrive(ipv4(kAlice, to_carol.overlay.ip, 200 + i));
  }
  pair.alice.run_until_idle();
  const std::vector<Bytes> frames = pair.alice.outside.take_sent();
  ASSERT_EQ(frames.size(), 20U);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const auto header = wire::parse_header(ByteView(frames[i]).subspan(42));
    ASSERT_TRUE(header);
    EXPECT_EQ(header->counter, Counter{3 + i / 2});
    EXPECT_EQ(header->index, i % 2 == 0 ? 0xbbbb0002U : 0xcccc0003U);
  }
  EXPECT_EQ(carol.hot->tx_packets(), 10U);
  EXPECT_EQ(carol.hot->tx_bytes, 10 * 220U + 45);
  for (const Bytes& frame : frames) pair.bob.outside.arrive(frame);
  for (const Bytes& frame : frames) pair.bob.outside.arrive(frame);
  pair.bob.run_until_idle();
  std::vector<Bytes> delivered = pair.bob.inside.take_sent();
  EXPECT_EQ(delivered, to_bob) << "Carol's packets are opened, and not for Bob";
  EXPECT_EQ(pair.bob.drops(Verdict::kNotForUs), 10U);
  EXPECT_EQ(pair.bob.drops(Verdict::kReplayed), 20U);
  EXPECT_EQ(from_alice.hot->rx_packets, 10U);
  EXPECT_EQ(from_alice.hot->rx_bytes, 10 * 220U + 45);
  EXPECT_EQ(from_alice.hot->window.highest(), Counter{12});
  EXPECT_TRUE(pair.alice.adds_up());
  EXPECT_TRUE(pair.bob.adds_up());
}

TEST(Pipelines, WhatTheControlPlaneGets) {
  Pair pair;
  const wire::OuterTemplate outer({.source = kStranger, .destination = kBobsPlace});
  const auto send = [&](wire::Header header, std::size_t body) {
    Bytes frame(outer.size() + 16 + body, std::byte{7});
    wire::write_header(std::span<std::byte, 16>(frame.data() + 42, 16), header);
    outer.write_before(frame.data() + 42, 16 + body);
    pair.to_bob_now(frame);
  };
  send({.type = wire::MessageType::kHandshake, .counter = Counter{1}}, 200);
  send({.type = wire::MessageType::kRecvError, .index = 5}, 0);
  send({.type = wire::MessageType::kTest, .index = 0x99, .counter = Counter{4}}, 16);
  pair.bob.inside.arrive(ipv4(kBob, IpAddr::v4(0x0a2a0077), 8));
  pair.bob.run_until_idle();
  const auto punted = pair.bob.take_punted();
  ASSERT_EQ(punted.size(), 4U);
  EXPECT_EQ(punted[0].meta.kind, PuntKind::kHandshake);
  EXPECT_EQ(punted[0].bytes.size(), 216U);
  EXPECT_EQ(punted[0].meta.source, kStranger);
  EXPECT_EQ(punted[1].meta.kind, PuntKind::kRecvError);
  EXPECT_EQ(punted[1].meta.header.index, 5U);
  EXPECT_EQ(punted[2].meta.kind, PuntKind::kUnknownIndex);
  EXPECT_EQ(punted[2].meta.header.index, 0x99U);
  EXPECT_EQ(punted[3].meta.kind, PuntKind::kNoTunnel);
  EXPECT_EQ(punted[3].bytes, ipv4(kBob, IpAddr::v4(0x0a2a0077), 8));
  EXPECT_EQ(pair.bob.all_drops(), 0U);
  EXPECT_TRUE(pair.bob.adds_up());
}

// Whoever sends the gateway handshakes without end must not keep anybody else from it.
TEST(Pipelines, AFloodOfOneKindLeavesTheOthersTheirRoomAndTheirTurn) {
  Pair pair;
  const wire::OuterTemplate outer({.source = kStranger, .destination = kBobsPlace});
  const auto handshake = [&](std::uint64_t stage) {
    Bytes frame(outer.size() + 16 + 200, std::byte{7});
    wire::write_header(std::span<std::byte, 16>(frame.data() + 42, 16),
                       {.type = wire::MessageType::kHandshake, .counter = Counter{stage}});
    outer.write_before(frame.data() + 42, 216);
    return frame;
  };
  for (int i = 0; i < 2000; ++i) pair.bob.outside.arrive(handshake(1));
  for (int i = 0; i < 10; ++i) pair.bob.outside.arrive(handshake(2));
  for (int i = 0; i < 10; ++i) pair.bob.inside.arrive(ipv4(kBob, IpAddr::v4(0x0a2a0077), 8));
  pair.bob.run_until_idle();
  EXPECT_EQ(pair.bob.drops(Verdict::kPuntRingFull), 2000U - 1023U);
  const auto punted = pair.bob.take_punted();
  const auto until = [&](PuntKind kind) {
    const auto last = std::find_if(punted.rbegin(), punted.rend(),
                                   [&](const auto& one) { return one.meta.kind == kind; });
    return punted.rend() - last;
  };
  EXPECT_LE(until(PuntKind::kStage2), 48);
  EXPECT_LE(until(PuntKind::kNoTunnel), 48);
  EXPECT_GT(until(PuntKind::kHandshake), 1000);
  EXPECT_TRUE(pair.bob.adds_up());
}

}  // namespace
}  // namespace magnetar
