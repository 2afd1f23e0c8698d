// SPDX-License-Identifier: Apache-2.0
#include "dataplane/inside/pipeline.h"

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
using testing::Pair;

TEST(InsidePipeline, OutboundRefusals) {
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
TEST(InsidePipeline, APacketWhoseNextHopIsNotKnownIsNotLost) {
  Pair pair;
  const Session& session = *pair.alice.sessions.find(LocalIndex{0xaaaa0001});
  auto unknown = std::make_unique<Remote>();
  unknown->addr = kBobsPlace;
  pair.alice.sessions.move(session, std::move(unknown));
  const Bytes packet = ipv4(kAlice, kBob, 60);
  pair.alice.inside.arrive(packet);
  pair.alice.run_until_idle();
  const auto punted = pair.alice.take_punted();
  ASSERT_EQ(punted.size(), 1U);
  EXPECT_EQ(punted[0].meta.kind, PuntKind::kNoNeighbour);
  EXPECT_EQ(punted[0].meta.source, kBobsPlace);
  EXPECT_TRUE(pair.alice.adds_up());
  // What was punted is a whole Nebula packet: sent by whoever can, it arrives.
  const wire::OuterTemplate outer({.source = kAlicesPlace, .destination = kBobsPlace});
  Bytes frame(outer.size() + punted[0].bytes.size());
  std::ranges::copy(punted[0].bytes, frame.begin() + static_cast<std::ptrdiff_t>(outer.size()));
  outer.write_before(frame.data() + outer.size(), punted[0].bytes.size());
  pair.to_bob_now(frame);
  EXPECT_EQ(pair.bob.inside.take_sent(), std::vector<Bytes>{packet});
}

TEST(InsidePipeline, ACounterIsNeverUsedPastTheCeiling) {
  Pair pair;
  pair.alice.sessions.find(LocalIndex{0xaaaa0001})->hot->send_counter = kSendCounterCeiling - 2;
  for (int i = 0; i < 3; ++i) {
    pair.alice.inside.arrive(ipv4(kAlice, kBob, 9));
    pair.alice.run_until_idle();
  }
  EXPECT_EQ(pair.alice.outside.take_sent().size(), 1U);
  EXPECT_EQ(pair.alice.drops(Verdict::kCounterExhausted), 2U);
}

TEST(InsidePipeline, FullDevicesAndRingsAreCounted) {
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

}  // namespace
}  // namespace magnetar
