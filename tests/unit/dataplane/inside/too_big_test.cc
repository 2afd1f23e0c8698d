// SPDX-License-Identifier: Apache-2.0
// What does not fit the tunnel to its peer: told to its sender, or sent in pieces.
#include <gtest/gtest.h>

#include "dataplane/offload/checksum.h"
#include "dataplane/wire/inner_packet.h"
#include "tests/support/inner_packets.h"
#include "tests/support/offload.h"
#include "tests/unit/dataplane/pair.h"

namespace magnetar {
namespace {

using testing::ipv4;
using testing::ipv6;
using testing::kAlice;
using testing::kAlicesPlace;
using testing::kBob;
using testing::key_of;
using testing::Pair;

constexpr std::uint16_t kOutsideMtu = 600;
constexpr std::size_t kCarried = kOutsideMtu - 28 - 32;

// Identification tells them apart; the checksum is right.
Bytes numbered(std::uint16_t number, std::size_t payload, bool may_split, IpAddr from = kAlice) {
  Bytes packet = ipv4(from, kBob, payload);
  store_be_at(&packet[4], number);
  store_be_at(&packet[6], std::uint16_t{may_split ? std::uint16_t{0} : std::uint16_t{0x4000}});
  for (std::size_t i = 20; i < packet.size(); ++i)
    packet[i] = static_cast<std::byte>(i * 7 + number);
  store_be_at(&packet[10], std::uint16_t{0});
  store_be_at(&packet[10],
              static_cast<std::uint16_t>(~testing::plain_sum(ByteView(packet).first(20))));
  return packet;
}

struct NarrowPair : Pair {
  Facts narrow = *alice.own_facts;
  explicit NarrowPair(std::uint16_t mtu = kOutsideMtu) {
    narrow.outside_mtu = mtu;
    alice.facts = &narrow;
  }
  ~NarrowPair() { EXPECT_TRUE(alice.adds_up()); }
  void arrive_and_run(const std::vector<Bytes>& packets) {
    for (const Bytes& packet : packets) alice.inside.arrive(packet);
    alice.run_until_idle();
  }
  // What Bob's inside gets of what Alice has sent, none of it larger than her outside MTU.
  std::vector<Bytes> at_bob() {
    std::vector<Bytes> out;
    for (const Bytes& frame : alice.outside.take_sent()) {
      EXPECT_LE(frame.size(), narrow.outside_mtu + 14U);
      to_bob_now(frame);
      for (Bytes& packet : bob.inside.take_sent()) out.push_back(std::move(packet));
    }
    return out;
  }
};

// Puts fragments that follow each other together again; checks each one's header.
std::vector<Bytes> reassembled(const std::vector<Bytes>& packets) {
  std::vector<Bytes> out;
  for (const Bytes& packet : packets) {
    EXPECT_EQ(testing::plain_sum(ByteView(packet).first(20)), 0xffff);
    const auto fragment = load_be_at<std::uint16_t>(&packet[6]);
    const std::size_t offset = (fragment & 0x1fffU) * std::size_t{8};
    if (offset == 0) {
      out.emplace_back(packet.begin() + 20, packet.end());
    } else {
      EXPECT_EQ(out.back().size(), offset);
      out.back().insert(out.back().end(), packet.begin() + 20, packet.end());
    }
  }
  return out;
}

TEST(TooBig, TheSenderIsToldWhatFits) {
  struct Case {
    const char* why;
    IpAddr from, peer;
    UnderlayAddr place;
    IpAddr port;  // the inside's own address
    IpAddr speaker;
    std::uint16_t carried;
  };
  const IpAddr bob6 = *IpAddr::parse("fd42::2");
  const IpAddr behind = *IpAddr::parse("192.168.7.9");
  const IpAddr port = *IpAddr::parse("192.168.7.1");
  const UnderlayAddr place4{IpAddr::v4(0xc0000202), 4242};
  const UnderlayAddr place6 = *UnderlayAddr::parse("[2001:db8::2]:4242");
  const Case cases[] = {
      {"our kernel, over IPv4", kAlice, kBob, place4, {}, kBob, 1440},
      {"our kernel, over IPv6", kAlice, kBob, place6, {}, kBob, 1420},
      {"IPv6 over IPv4", *IpAddr::parse("fd42::1"), bob6, place4, {}, bob6, 1440},
      {"IPv6 over IPv6", *IpAddr::parse("fd42::1"), bob6, place6, {}, bob6, 1420},
      {"a host behind the port", behind, kBob, place4, port, port, 1440},
      {"our kernel, beside a port", kAlice, kBob, place4, port, kBob, 1440},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    testing::DataPlane alice(Cipher::kAes256Gcm);
    alice.add_peer(
        {.send_key = key_of(1), .receive_key = key_of(2), .overlay = {c.peer}, .addr = c.place});
    Facts facts = *alice.own_facts;
    facts.port_v4 = c.port;
    alice.facts = &facts;
    const bool v4 = c.peer.is_v4();
    const auto packet = [&](std::size_t size) {
      Bytes out = v4 ? ipv4(c.from, c.peer, size - 20) : ipv6(c.from, c.peer, size - 40);
      out[6] = std::byte{v4 ? std::uint8_t{0x40} : std::uint8_t{17}};
      return out;
    };
    alice.inside.arrive(packet(c.carried));
    alice.run_until_idle();
    ASSERT_EQ(alice.outside.take_sent().size(), 1U) << "the largest that fits";
    alice.inside.arrive(packet(c.carried + 1));
    alice.run_until_idle();
    const auto told = alice.inside.take_sent();
    ASSERT_EQ(told.size(), 1U);
    wire::InnerView error;
    ASSERT_TRUE(wire::parse_inner(told[0], error));
    EXPECT_EQ(error.source_addr(), c.speaker);
    EXPECT_EQ(error.destination_addr(), c.from);
    const std::byte* icmp = &told[0][v4 ? 20 : 40];
    EXPECT_EQ(load_be_at<std::uint16_t>(icmp), v4 ? 0x0304U : 0x0200U);
    EXPECT_EQ(load_be_at<std::uint32_t>(icmp + 4), c.carried);
    EXPECT_TRUE(alice.outside.take_sent().empty());
    EXPECT_EQ(alice.drops(Verdict::kTooBig), 1U);
    EXPECT_EQ(alice.stats.injected.get(), 1U);
    EXPECT_EQ(alice.stats.inside.tx_packets.get(), 1U);
    EXPECT_TRUE(alice.adds_up());
  }
}

// Neither: an outer packet that somebody else would have to fragment.
TEST(TooBig, ANextHopThatIsNotKnownChangesNothing) {
  NarrowPair pair;
  auto unknown = std::make_unique<Remote>();
  unknown->addr = testing::kBobsPlace;
  pair.alice.sessions.move(*pair.alice.sessions.find(LocalIndex{0xaaaa0001}), std::move(unknown));
  pair.arrive_and_run({numbered(1, kCarried - 20 + 1, false), numbered(2, kCarried - 20, false)});
  EXPECT_EQ(pair.alice.drops(Verdict::kTooBig), 1U);
  EXPECT_EQ(pair.alice.inside.take_sent().size(), 1U);
  EXPECT_EQ(pair.alice.take_punted().size(), 1U);
}

TEST(TooBig, APathThatCarriesLessThanThePortIsTakenForWhatItIs) {
  NarrowPair pair(1500);
  const Session& session = *pair.alice.sessions.find(LocalIndex{0xaaaa0001});
  auto narrow = std::make_unique<Remote>(*session.hot->remote.load());
  narrow->path_mtu = 1000;
  pair.alice.sessions.move(session, std::move(narrow));
  pair.narrow.least_path_mtu = 576;
  pair.arrive_and_run({numbered(1, 940 - 20 + 1, false), numbered(2, 940 - 20, false)});
  EXPECT_EQ(pair.alice.drops(Verdict::kTooBig), 1U);
  EXPECT_EQ(pair.at_bob().size(), 1U);
}

TEST(TooBig, ErrorsAreLimitedAndNoneIsSentAboutAnError) {
  NarrowPair pair;
  Bytes about = numbered(0, 1000, false);
  about[9] = std::byte{1};
  about[20] = std::byte{3};  // destination unreachable
  pair.arrive_and_run({about});
  EXPECT_TRUE(pair.alice.inside.take_sent().empty());
  for (std::uint16_t i = 0; i < 1000; ++i) pair.alice.inside.arrive(numbered(i, 1000, false));
  pair.alice.run_until_idle();
  const std::size_t told = pair.alice.inside.take_sent().size();
  EXPECT_GE(told, 40U);
  EXPECT_LT(told, 500U) << "1,000 a second, 50 at once";
  EXPECT_EQ(pair.alice.drops(Verdict::kTooBig), 1001U);
}

TEST(TooBig, AnInsideThatTakesNoErrorIsCounted) {
  NarrowPair pair;
  pair.alice.inside.accept_at_most(0);
  pair.arrive_and_run({numbered(1, 1000, false)});
  EXPECT_EQ(pair.alice.drops(Verdict::kTooBig), 1U);
  EXPECT_EQ(pair.alice.drops(Verdict::kInsideFull), 1U);
}

TEST(TooBig, WhatMayBeFragmentedArrivesInOrder) {
  NarrowPair pair;
  std::vector<Bytes> packets;
  std::vector<Bytes> payloads;
  std::size_t extra = 0;
  for (std::uint16_t i = 0; i < 3 * kBurst; ++i) {  // small ones, and ones of 2 to 4 pieces
    const std::size_t payload = i % 3 == 0 ? 40 : 600 + i * std::size_t{5};
    packets.push_back(numbered(i, payload, true));
    payloads.emplace_back(packets.back().begin() + 20, packets.back().end());
    if (payload + 20 > kCarried) extra += (payload + 519) / 520 - 1;
  }
  pair.arrive_and_run(packets);
  EXPECT_TRUE(pair.alice.inside.take_sent().empty());
  EXPECT_EQ(reassembled(pair.at_bob()), payloads);
  EXPECT_EQ(pair.alice.stats.injected.get(), extra);
  EXPECT_EQ(pair.alice.all_drops(), 0U);
}

TEST(TooBig, RefusalsAmongWhatIsSplitAreEachCounted) {
  NarrowPair pair;
  const IpAddr nobody = IpAddr::v4(0x0a2a0099);
  std::vector<Bytes> packets;
  std::vector<Bytes> payloads;
  for (std::uint16_t i = 0; i < 60; i = static_cast<std::uint16_t>(i + 3)) {
    packets.push_back(numbered(i, 1500, true));
    payloads.emplace_back(packets.back().begin() + 20, packets.back().end());
    packets.push_back(numbered(i, 1500, false));
    packets.push_back(ipv4(kAlice, nobody, 9));
  }
  pair.alice.outside.accept_at_most(2);
  pair.arrive_and_run(packets);
  EXPECT_EQ(pair.alice.drops(Verdict::kTooBig), 20U);
  EXPECT_EQ(pair.alice.take_punted().size(), 20U);
  EXPECT_EQ(pair.alice.inside.take_sent().size(), 20U);
  EXPECT_EQ(pair.alice.stats.injected.get(), 20U + 20U * 2);
  EXPECT_GT(pair.alice.drops(Verdict::kOutsideFull), 0U);
}

TEST(TooBig, WithoutMemoryForThePiecesItIsDropped) {
  NarrowPair pair;
  for (int i = 0; i < 3; ++i)
    pair.alice.inside.arrive(numbered(static_cast<std::uint16_t>(i), 1500, true));
  std::vector<rte_mbuf*> all;
  while (rte_mbuf* one = rte_pktmbuf_alloc(pair.alice.pool.get())) all.push_back(one);
  pair.alice.run_until_idle();
  EXPECT_EQ(pair.alice.drops(Verdict::kTooBig), 3U);
  EXPECT_TRUE(pair.alice.outside.take_sent().empty());
  rte_pktmbuf_free_bulk(all.data(), static_cast<unsigned>(all.size()));
}

// A SYN with this MSS.
Bytes syn(IpAddr from, IpAddr to, std::uint16_t mss) {
  Bytes packet = ipv4(from, to, 24);
  packet[9] = std::byte{6};
  packet[32] = std::byte{0x60};
  packet[33] = std::byte{2};
  packet[40] = std::byte{2};
  packet[41] = std::byte{4};
  store_be_at(&packet[42], mss);
  testing::finish(packet);
  return packet;
}

TEST(TooBig, TheMssOfConnectionsIsLoweredBothWaysWhereThatIsAskedFor) {
  for (const bool asked : {true, false}) {
    SCOPED_TRACE(asked);
    NarrowPair pair;
    pair.narrow.clamp_mss = asked;
    const std::uint16_t expected = asked ? kCarried - 40 : 1460;
    pair.arrive_and_run({syn(kAlice, kBob, 1460)});
    EXPECT_EQ(pair.at_bob(), std::vector<Bytes>{syn(kAlice, kBob, expected)});
    pair.bob.inside.arrive(syn(kBob, kAlice, 1460));
    pair.bob.run_until_idle();
    for (const Bytes& frame : pair.bob.outside.take_sent()) pair.alice.outside.arrive(frame);
    pair.alice.run_until_idle();
    EXPECT_EQ(pair.alice.inside.take_sent(), std::vector<Bytes>{syn(kBob, kAlice, expected)});
  }
}

}  // namespace
}  // namespace magnetar
