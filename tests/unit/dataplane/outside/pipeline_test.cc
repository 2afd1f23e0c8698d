// SPDX-License-Identifier: Apache-2.0
#include "dataplane/outside/pipeline.h"

#include <gtest/gtest.h>

#include "tests/support/inner_packets.h"
#include "tests/unit/dataplane/pair.h"

namespace magnetar {
namespace {

using testing::ipv4;
using testing::kAlice;
using testing::kAlicesPlace;
using testing::kBob;
using testing::kBobsPlace;
using testing::kStranger;
using testing::Pair;
using testing::PeerSpec;

struct InboundCase {
  const char* why;
  void (*spoil)(Bytes& frame);
  Verdict expected;
};

TEST(OutsidePipeline, EachBadFrameCostsOneCounter) {
  const InboundCase cases[] = {
      {"bit of the tag", [](Bytes& f) { f.back() ^= std::byte{1}; }, Verdict::kForged},
      {"bit of the text", [](Bytes& f) { f[70] ^= std::byte{1}; }, Verdict::kForged},
      {"reserved bytes are authenticated", [](Bytes& f) { f[44] ^= std::byte{1}; },
       Verdict::kForged},
      {"another counter", [](Bytes& f) { f[57] = std::byte{9}; }, Verdict::kForged},
      {"counter of the handshake", [](Bytes& f) { f[57] = std::byte{2}; }, Verdict::kReplayed},
      {"version 2", [](Bytes& f) { f[42] = std::byte{0x21}; }, Verdict::kBadVersion},
      {"type 7", [](Bytes& f) { f[42] = std::byte{0x17}; }, Verdict::kBadType},
      {"subtype 2", [](Bytes& f) { f[43] = std::byte{2}; }, Verdict::kBadType},
      {"relay envelope", [](Bytes& f) { f[43] = std::byte{1}; }, Verdict::kRelayUnsupported},
      {"other port", [](Bytes& f) { f[37] ^= std::byte{1}; }, Verdict::kNotOurs},
      {"other address", [](Bytes& f) { f[33] ^= std::byte{1}; }, Verdict::kNotOurs},
      {"from inside our overlay",
       [](Bytes& f) { std::ranges::copy(kAlice.network_bytes(), f.begin() + 26); },
       Verdict::kOwnOverlaySource},
  };
  for (const InboundCase& c : cases) {
    SCOPED_TRACE(c.why);
    Pair pair;
    Bytes frame = pair.sealed(ipv4(kAlice, kBob, 60));
    c.spoil(frame);
    pair.to_bob_now(frame);
    EXPECT_EQ(pair.bob.drops(c.expected), 1U);
    EXPECT_EQ(pair.bob.all_drops(), 1U);
    EXPECT_TRUE(pair.bob.inside.take_sent().empty());
    EXPECT_TRUE(pair.bob.adds_up());
    EXPECT_EQ(pair.bob.sessions.find(LocalIndex{0xbbbb0002})->hot->window.highest(), Counter{2});
  }
}

TEST(OutsidePipeline, EveryLengthOfGarbageIsCounted) {
  Pair pair;
  const wire::OuterTemplate outer({.source = kStranger, .destination = kBobsPlace});
  for (std::size_t size = 0; size <= 2000; ++size) {
    Bytes frame(outer.size() + size, std::byte{0x11});
    outer.write_before(frame.data() + outer.size(), size);
    pair.bob.outside.arrive(frame);
    if (size % 64 == 0) pair.bob.run_until_idle();
    if (size % 64 == 0) pair.bob.take_punted();
  }
  pair.bob.run_until_idle();
  EXPECT_EQ(pair.bob.drops(Verdict::kPunch), 2U);
  EXPECT_EQ(pair.bob.drops(Verdict::kTooShort), 14U);   // 2 to 15: no header
  EXPECT_EQ(pair.bob.drops(Verdict::kBadType), 1985U);  // 0x11 0x11: subtype 17
  EXPECT_TRUE(pair.bob.adds_up());
}

TEST(OutsidePipeline, EveryCutOfAGoodPacketIsRefused) {
  Pair pair;
  const Bytes good = pair.sealed(ipv4(kAlice, kBob, 60));
  const wire::OuterTemplate outer({.source = kAlicesPlace, .destination = kBobsPlace});
  for (std::size_t size = 0; size < good.size() - 42; ++size) {
    Bytes frame(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(42 + size));
    outer.write_before(frame.data() + 42, size);
    pair.to_bob_now(frame);
  }
  EXPECT_TRUE(pair.bob.inside.take_sent().empty());
  EXPECT_EQ(pair.bob.all_drops(), good.size() - 42);
}

TEST(OutsidePipeline, AReplayIsDroppedAlsoWithinOneBurst) {
  Pair pair;
  const Bytes frame = pair.sealed(ipv4(kAlice, kBob, 60));
  for (int i = 0; i < 3; ++i) pair.bob.outside.arrive(frame);
  pair.bob.run_until_idle();
  EXPECT_EQ(pair.bob.inside.take_sent().size(), 1U);
  pair.to_bob_now(frame);
  EXPECT_EQ(pair.bob.inside.take_sent().size(), 0U);
  EXPECT_EQ(pair.bob.drops(Verdict::kReplayed), 3U);
  EXPECT_TRUE(pair.bob.adds_up());
}

TEST(OutsidePipeline, InnerAddressesMustBeThePeersAndOurs) {
  struct Case {
    const char* why;
    Bytes packet;
    Verdict expected;
  };
  Bytes longer = ipv4(kAlice, kBob, 40);
  longer.push_back(std::byte{0});
  Bytes past_the_end = ipv4(kAlice, kBob, 40);
  past_the_end[6] = std::byte{0x1f};
  past_the_end[7] = std::byte{0xff};
  const Case cases[] = {
      {"another peer's source", ipv4(IpAddr::v4(0x0a2a0003), kBob, 40), Verdict::kWrongSource},
      {"our own source", ipv4(kBob, kBob, 40), Verdict::kWrongSource},
      {"not our destination", ipv4(kAlice, IpAddr::v4(0x0a2a0009), 40), Verdict::kNotForUs},
      {"behind us is ours", ipv4(kAlice, IpAddr::v4(0xc0a80705), 40), Verdict::kForward},
      {"a byte after its end", longer, Verdict::kInnerMalformed},
      {"fragment past 65,535", past_the_end, Verdict::kInnerMalformed},
      {"nothing at all", {}, Verdict::kInnerMalformed},
      {"not IP", Bytes(40, std::byte{0x50}), Verdict::kInnerMalformed},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    Pair pair;
    // Sealed by hand: Alice's own pipeline would not let these out.
    Bytes frame(42 + 32 + c.packet.size());
    std::ranges::copy(c.packet, frame.begin() + 58);
    const Session& session = *pair.alice.sessions.find(LocalIndex{0xaaaa0001});
    store_block(frame.data() + 42, make_header(session.hot->data_header, 3));
    AeadJob job{};
    store_block(&job.nonce, make_nonce(Cipher::kAes256Gcm, 3));
    job.key = &session.seal_key;
    job.text = frame.data() + 58;
    job.length = static_cast<std::uint32_t>(c.packet.size());
    pair.alice.aead->seal({&job, 1});
    session.hot->remote.load()->header.write_before(frame.data() + 42, frame.size() - 42);
    pair.to_bob_now(frame);
    EXPECT_EQ(pair.bob.all_drops(), c.expected == Verdict::kForward ? 0U : 1U);
    EXPECT_EQ(pair.bob.drops(c.expected), c.expected == Verdict::kForward ? 0U : 1U);
    EXPECT_TRUE(pair.bob.adds_up());
  }
}

// Alice's first packets reach Bob before his control thread has opened the session.
TEST(OutsidePipeline, WhatComesBeforeItsSessionWaitsInOrder) {
  Pair pair;
  const PeerSpec spec = Pair::to_alice();
  const Bytes stranger = pair.sealed(ipv4(kAlice, kBob, 1));
  const Bytes first = pair.sealed(ipv4(kAlice, kBob, 10));
  const Bytes second = pair.sealed(ipv4(kAlice, kBob, 20));
  pair.bob.sessions.retire(spec.local);
  pair.bob.routes.erase({kAlice});

  pair.to_bob_now(stranger);
  EXPECT_EQ(pair.bob.take_punted().size(), 1U) << "nobody awaits it yet";
  pair.bob.sessions.await(spec.local);
  pair.to_bob_now(first);
  pair.to_bob_now(second);
  EXPECT_TRUE(pair.bob.take_punted().empty());
  EXPECT_TRUE(pair.bob.inside.take_sent().empty());

  pair.bob.add_peer(spec);
  const Bytes third = pair.sealed(ipv4(kAlice, kBob, 30));
  pair.to_bob_now(third);
  EXPECT_EQ(pair.bob.inside.take_sent(),
            (std::vector{ipv4(kAlice, kBob, 10), ipv4(kAlice, kBob, 20), ipv4(kAlice, kBob, 30)}));
  EXPECT_EQ(pair.bob.all_drops(), 0U);
  EXPECT_TRUE(pair.bob.adds_up());
}

TEST(OutsidePipeline, WhatCameForAnAttemptThatEndedIsAnUnknownIndex) {
  Pair pair;
  const PeerSpec spec = Pair::to_alice();
  pair.bob.sessions.retire(spec.local);
  pair.bob.sessions.await(spec.local);
  const std::size_t room = EarlyPackets::kMost;
  for (std::size_t i = 0; i < room; ++i) pair.to_bob_now(pair.sealed(ipv4(kAlice, kBob, i)));
  EXPECT_TRUE(pair.bob.take_punted().empty());
  pair.to_bob_now(pair.sealed(ipv4(kAlice, kBob, 9)));
  EXPECT_EQ(pair.bob.take_punted().size(), 1U) << "there is no room for more";

  pair.bob.sessions.unawait(spec.local);
  pair.bob.run_until_idle();
  const auto punted = pair.bob.take_punted();
  EXPECT_EQ(punted.size() + pair.bob.drops(Verdict::kNoSession), room);
  ASSERT_FALSE(punted.empty());
  EXPECT_EQ(punted.front().meta.kind, PuntKind::kUnknownIndex);
  EXPECT_TRUE(pair.bob.adds_up());
}

// A flood of indexes that name nothing is mostly dropped; the first of a burst are told of.
TEST(OutsidePipeline, AFloodOfUnknownIndexesFillsNoRing) {
  Pair pair;
  Bytes frame = pair.sealed(ipv4(kAlice, kBob, 60));
  for (std::uint32_t i = 0; i < kBurst; ++i) {
    store_be<std::uint32_t>(std::span(frame).subspan<46, 4>(), 0x77000000U + i);
    pair.bob.outside.arrive(frame);
  }
  pair.bob.run_until_idle();
  const auto punted = pair.bob.take_punted();
  ASSERT_EQ(punted.size(), OutsidePipeline::kUnknownPerBurst);
  EXPECT_EQ(punted[1].meta.kind, PuntKind::kUnknownIndex);
  EXPECT_EQ(punted[1].meta.header.index, 0x77000001U);
  EXPECT_EQ(punted[1].meta.source, kAlicesPlace);
  EXPECT_EQ(pair.bob.drops(Verdict::kNoSession), kBurst - OutsidePipeline::kUnknownPerBurst);
  EXPECT_TRUE(pair.bob.adds_up());
}

// Nobody is given index 0, and no tunnel is: it is unknown alone as within a train.
TEST(OutsidePipeline, IndexZeroIsUnknownWhateverCameBefore) {
  Pair pair;
  const Bytes good = pair.sealed(ipv4(kAlice, kBob, 60));
  Bytes zero = good;
  store_be<std::uint32_t>(std::span(zero).subspan<46, 4>(), 0U);
  for (const Bytes& frame : {zero, good, zero}) pair.bob.outside.arrive(frame);
  pair.bob.run_until_idle();
  EXPECT_EQ(pair.bob.inside.take_sent().size(), 1U);
  EXPECT_EQ(pair.bob.take_punted().size() + pair.bob.drops(Verdict::kNoSession), 2U);
  EXPECT_EQ(pair.bob.drops(Verdict::kReplayed), 0U);
  EXPECT_TRUE(pair.bob.adds_up());
}

TEST(OutsidePipeline, AStrangerUnderAPeersIndexIsNoticedOnceABurst) {
  const wire::OuterTemplate from_stranger({.source = kStranger, .destination = kBobsPlace});
  for (const bool known_place : {false, true}) {
    SCOPED_TRACE(known_place);
    Pair pair;
    Bytes forged = pair.sealed(ipv4(kAlice, kBob, 60));
    const Bytes good = forged;
    forged.back() ^= std::byte{1};
    if (!known_place) from_stranger.write_before(forged.data() + 42, forged.size() - 42);
    for (int i = 0; i < 5; ++i) pair.bob.outside.arrive(forged);
    pair.bob.run_until_idle();
    const auto punted = pair.bob.take_punted();
    ASSERT_EQ(punted.size(), known_place ? 0U : 1U) << "the peer's own place is no stranger";
    if (!known_place) {
      EXPECT_EQ(punted[0].meta.kind, PuntKind::kForged);
      EXPECT_EQ(punted[0].meta.session, LocalIndex{0xbbbb0002});
      EXPECT_EQ(punted[0].meta.source, kStranger);
    }
    EXPECT_EQ(pair.bob.drops(Verdict::kForged), 5U);
    EXPECT_TRUE(pair.bob.adds_up());
    // A counter that the peer has used is a stranger's as well.
    pair.to_bob_now(good);
    Bytes replayed = good;
    from_stranger.write_before(replayed.data() + 42, replayed.size() - 42);
    pair.to_bob_now(replayed);
    const auto again = pair.bob.take_punted();
    ASSERT_EQ(again.size(), 1U);
    EXPECT_EQ(again[0].meta.kind, PuntKind::kForged);
  }
}

TEST(OutsidePipeline, APeerThatMovedIsNoticedOnce) {
  Pair pair;
  const wire::OuterTemplate outer({.source = kStranger, .destination = kBobsPlace});
  for (int i = 0; i < 3; ++i) {
    Bytes frame = pair.sealed(ipv4(kAlice, kBob, 60));
    outer.write_before(frame.data() + 42, frame.size() - 42);
    pair.to_bob_now(frame);
  }
  EXPECT_EQ(pair.bob.inside.take_sent().size(), 3U) << "the packets themselves are good";
  const auto punted = pair.bob.take_punted();
  ASSERT_EQ(punted.size(), 1U);
  EXPECT_EQ(punted[0].meta.kind, PuntKind::kMoved);
  EXPECT_EQ(punted[0].meta.session, LocalIndex{0xbbbb0002});
  EXPECT_EQ(punted[0].meta.source, kStranger);
  EXPECT_TRUE(pair.bob.adds_up());
}

}  // namespace
}  // namespace magnetar
