// SPDX-License-Identifier: Apache-2.0
// Both pipelines over memory ports: two gateways facing each other, and an attacker between them.
#include <gtest/gtest.h>

#include "dataplane/wire/inner_packet.h"
#include "tests/support/data_plane.h"
#include "tests/support/inner_packets.h"

namespace magnetar {
namespace {

using testing::DataPlane;
using testing::ipv4;
using testing::ipv6;
using testing::key_of;
using testing::PeerSpec;

const IpAddr kAlice = IpAddr::v4(0x0a2a0001);
const IpAddr kBob = IpAddr::v4(0x0a2a0002);

// Alice (10.42.0.1 at 192.0.2.1) and Bob (10.42.0.2 at 192.0.2.2) with one tunnel between them.
struct Pair {
  explicit Pair(Cipher cipher = Cipher::kAes256Gcm)
      : alice(cipher), bob(cipher, kBob, {IpAddr::v4(0xc0000202), 4242}) {
    alice.add_peer(to_bob());
    bob.add_peer(to_alice());
  }
  static PeerSpec to_bob() {
    return {.local = LocalIndex{0xaaaa0001},
            .remote = RemoteIndex{0xbbbb0002},
            .send_key = key_of(1),
            .receive_key = key_of(2),
            .overlay = {kBob},
            .addr = {IpAddr::v4(0xc0000202), 4242}};
  }
  static PeerSpec to_alice() {
    return {.local = LocalIndex{0xbbbb0002},
            .remote = RemoteIndex{0xaaaa0001},
            .send_key = key_of(2),
            .receive_key = key_of(1),
            .overlay = {kAlice},
            .addr = {IpAddr::v4(0xc0000201), 4242}};
  }
  // Alice's frame for a packet to Bob.
  Bytes sealed(const Bytes& packet) {
    alice.inside.arrive(packet);
    alice.run_until_idle();
    auto frames = alice.outside.take_sent();
    EXPECT_EQ(frames.size(), 1U);
    return frames.empty() ? Bytes{} : frames.front();
  }
  void to_bob_now(const Bytes& frame) {
    bob.outside.arrive(frame);
    bob.run_until_idle();
  }
  DataPlane alice;
  DataPlane bob;
};

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
  DataPlane bob(Cipher::kAes256Gcm, kBob, {IpAddr::v4(0xc0000202), 4242});
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

struct InboundCase {
  const char* why;
  void (*spoil)(Bytes& frame);
  Verdict expected;
};

TEST(Pipelines, EachBadFrameCostsOneCounter) {
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

TEST(Pipelines, EveryLengthOfGarbageIsCounted) {
  Pair pair;
  const wire::OuterTemplate outer(
      {.source = {IpAddr::v4(0xc6336409), 999}, .destination = {IpAddr::v4(0xc0000202), 4242}});
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

TEST(Pipelines, EveryCutOfAGoodPacketIsRefused) {
  Pair pair;
  const Bytes good = pair.sealed(ipv4(kAlice, kBob, 60));
  const wire::OuterTemplate outer(
      {.source = {IpAddr::v4(0xc0000201), 4242}, .destination = {IpAddr::v4(0xc0000202), 4242}});
  for (std::size_t size = 0; size < good.size() - 42; ++size) {
    Bytes frame(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(42 + size));
    outer.write_before(frame.data() + 42, size);
    pair.to_bob_now(frame);
  }
  EXPECT_TRUE(pair.bob.inside.take_sent().empty());
  EXPECT_EQ(pair.bob.all_drops(), good.size() - 42);
}

TEST(Pipelines, AReplayIsDroppedAlsoWithinOneBurst) {
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

TEST(Pipelines, InnerAddressesMustBeThePeersAndOurs) {
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
    job.aad = frame.data() + 42;
    job.aad_length = 16;
    job.text = frame.data() + 58;
    job.length = static_cast<std::uint32_t>(c.packet.size());
    job.tag = job.text + job.length;
    pair.alice.aead->seal({&job, 1});
    session.hot->remote.load()->header.write_before(frame.data() + 42, frame.size() - 42);
    pair.to_bob_now(frame);
    EXPECT_EQ(pair.bob.all_drops(), c.expected == Verdict::kForward ? 0U : 1U);
    EXPECT_EQ(pair.bob.drops(c.expected), c.expected == Verdict::kForward ? 0U : 1U);
    EXPECT_TRUE(pair.bob.adds_up());
  }
}

TEST(Pipelines, WhatTheControlPlaneGets) {
  Pair pair;
  const wire::OuterTemplate outer(
      {.source = {IpAddr::v4(0xc6336409), 999}, .destination = {IpAddr::v4(0xc0000202), 4242}});
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
  const UnderlayAddr stranger{IpAddr::v4(0xc6336409), 999};
  EXPECT_EQ(punted[0].meta.kind, PuntKind::kHandshake);
  EXPECT_EQ(punted[0].bytes.size(), 216U);
  EXPECT_EQ(punted[0].meta.source, stranger);
  EXPECT_EQ(punted[1].meta.kind, PuntKind::kRecvError);
  EXPECT_EQ(punted[1].meta.header.index, 5U);
  EXPECT_EQ(punted[2].meta.kind, PuntKind::kUnknownIndex);
  EXPECT_EQ(punted[2].meta.header.index, 0x99U);
  EXPECT_EQ(punted[3].meta.kind, PuntKind::kNoTunnel);
  EXPECT_EQ(punted[3].bytes, ipv4(kBob, IpAddr::v4(0x0a2a0077), 8));
  EXPECT_EQ(pair.bob.all_drops(), 0U);
  EXPECT_TRUE(pair.bob.adds_up());
}

// Alice's first packets reach Bob before his control thread has opened the session.
TEST(Pipelines, WhatComesBeforeItsSessionWaitsInOrder) {
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

TEST(Pipelines, WhatCameForAnAttemptThatEndedIsAnUnknownIndex) {
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
TEST(Pipelines, AFloodOfUnknownIndexesFillsNoRing) {
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
  EXPECT_EQ(punted[1].meta.source, Pair::to_alice().addr);
  EXPECT_EQ(pair.bob.drops(Verdict::kNoSession), kBurst - OutsidePipeline::kUnknownPerBurst);
  EXPECT_TRUE(pair.bob.adds_up());
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

TEST(Pipelines, OutboundRefusals) {
  struct Case {
    const char* why;
    Bytes packet;
    Verdict expected;
  };
  const Case cases[] = {
      {"no IP packet", Bytes(3, std::byte{0x45}), Verdict::kInsideMalformed},
      {"spoofed source", ipv4(IpAddr::v4(0x01020304), kBob, 9), Verdict::kNotOurSource},
      {"outside the overlay", ipv4(kAlice, IpAddr::v4(0x08080808), 9), Verdict::kNoRoute},
      {"to ourselves", ipv4(kAlice, kAlice, 9), Verdict::kToOurselves},
      {"multicast", ipv4(kAlice, IpAddr::v4(0xe0000001), 9), Verdict::kMulticast},
      {"overlay broadcast", ipv4(kAlice, IpAddr::v4(0x0a2affff), 9), Verdict::kMulticast},
      {"larger than the outside MTU", ipv4(kAlice, kBob, 1500 - 28 - 32 - 20 + 1),
       Verdict::kTooBig},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    Pair pair;
    pair.alice.inside.arrive(c.packet);
    pair.alice.run_until_idle();
    EXPECT_EQ(pair.alice.drops(c.expected), 1U);
    EXPECT_TRUE(pair.alice.outside.take_sent().empty());
    EXPECT_TRUE(pair.alice.adds_up());
  }
  Pair pair;
  pair.alice.inside.arrive(ipv4(kAlice, kBob, 1500 - 28 - 32 - 20));
  pair.alice.run_until_idle();
  EXPECT_EQ(pair.alice.outside.take_sent().at(0).size(), 1514U) << "the largest that fits";
}

// As seen after a restart: the first packets were lost while the kernel asked for the neighbour.
TEST(Pipelines, APacketWhoseNextHopIsNotKnownIsNotLost) {
  Pair pair;
  const Session& session = *pair.alice.sessions.find(LocalIndex{0xaaaa0001});
  auto unknown = std::make_unique<Remote>();
  unknown->addr = Pair::to_bob().addr;
  pair.alice.sessions.move(session, std::move(unknown));
  const Bytes packet = ipv4(kAlice, kBob, 60);
  pair.alice.inside.arrive(packet);
  pair.alice.run_until_idle();
  const auto punted = pair.alice.take_punted();
  ASSERT_EQ(punted.size(), 1U);
  EXPECT_EQ(punted[0].meta.kind, PuntKind::kNoNeighbour);
  EXPECT_EQ(punted[0].meta.source, Pair::to_bob().addr);
  EXPECT_TRUE(pair.alice.adds_up());
  // What was punted is a whole Nebula packet: sent by whoever can, it arrives.
  const wire::OuterTemplate outer(
      {.source = Pair::to_alice().addr, .destination = Pair::to_bob().addr});
  Bytes frame(outer.size() + punted[0].bytes.size());
  std::ranges::copy(punted[0].bytes, frame.begin() + static_cast<std::ptrdiff_t>(outer.size()));
  outer.write_before(frame.data() + outer.size(), punted[0].bytes.size());
  pair.to_bob_now(frame);
  EXPECT_EQ(pair.bob.inside.take_sent(), std::vector<Bytes>{packet});
}

TEST(Pipelines, ACounterIsNeverUsedPastTheCeiling) {
  Pair pair;
  pair.alice.sessions.find(LocalIndex{0xaaaa0001})->hot->send_counter = kSendCounterCeiling - 2;
  for (int i = 0; i < 3; ++i) {
    pair.alice.inside.arrive(ipv4(kAlice, kBob, 9));
    pair.alice.run_until_idle();
  }
  EXPECT_EQ(pair.alice.outside.take_sent().size(), 1U);
  EXPECT_EQ(pair.alice.drops(Verdict::kCounterExhausted), 2U);
}

TEST(Pipelines, FullDevicesAndRingsAreCounted) {
  Pair pair;
  pair.alice.outside.accept_at_most(1);
  for (int i = 0; i < 5; ++i) pair.alice.inside.arrive(ipv4(kAlice, kBob, 9));
  pair.alice.run_until_idle();
  EXPECT_EQ(pair.alice.drops(Verdict::kOutsideFull), 4U);
  for (int i = 0; i < 1200; ++i) pair.alice.inside.arrive(ipv4(kAlice, IpAddr::v4(0x0a2a0099), 9));
  pair.alice.run_until_idle();
  EXPECT_EQ(pair.alice.all_punted(), 1023U);  // a ring of 1,024 holds one less
  EXPECT_EQ(pair.alice.drops(Verdict::kPuntRingFull), 177U);
  EXPECT_TRUE(pair.alice.adds_up());
}

// Whoever sends the gateway handshakes without end must not keep anybody else from it.
TEST(Pipelines, AFloodOfOneKindLeavesTheOthersTheirRoomAndTheirTurn) {
  Pair pair;
  const wire::OuterTemplate outer(
      {.source = {IpAddr::v4(0xc6336409), 999}, .destination = {IpAddr::v4(0xc0000202), 4242}});
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

TEST(Pipelines, AStrangerUnderAPeersIndexIsNoticedOnceABurst) {
  const wire::OuterTemplate from_stranger(
      {.source = {IpAddr::v4(0xc6336409), 777}, .destination = {IpAddr::v4(0xc0000202), 4242}});
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
      EXPECT_EQ(punted[0].meta.source, (UnderlayAddr{IpAddr::v4(0xc6336409), 777}));
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

TEST(Pipelines, APeerThatMovedIsNoticedOnce) {
  Pair pair;
  PeerSpec elsewhere = Pair::to_bob();
  const wire::OuterTemplate outer(
      {.source = {IpAddr::v4(0xc6336409), 777}, .destination = {IpAddr::v4(0xc0000202), 4242}});
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
  EXPECT_EQ(punted[0].meta.source, (UnderlayAddr{IpAddr::v4(0xc6336409), 777}));
  EXPECT_TRUE(pair.bob.adds_up());
}

}  // namespace
}  // namespace magnetar
