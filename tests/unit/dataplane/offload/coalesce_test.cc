// SPDX-License-Identifier: Apache-2.0
#include "dataplane/offload/coalesce.h"

#include <functional>

#include <gtest/gtest.h>

#include "tests/support/offload.h"

namespace magnetar::offload {
namespace {

using magnetar::testing::broken_law;
using magnetar::testing::finish;
using magnetar::testing::members_of;
using magnetar::testing::packet_of;
using magnetar::testing::PacketSpec;
using magnetar::testing::views_of;
using magnetar::testing::whole_of;

constexpr std::uint8_t kAck = 0x10;

// The i-th packet of a stream that begins with `spec`.
PacketSpec following(PacketSpec spec, std::size_t i) {
  spec.id = static_cast<std::uint16_t>(spec.id + i);
  spec.sequence += static_cast<std::uint32_t>(i * spec.payload);
  spec.seed = static_cast<std::uint8_t>(i);
  return spec;
}

std::vector<Bytes> stream(const PacketSpec& spec, std::size_t packets) {
  std::vector<Bytes> out;
  for (std::size_t i = 0; i < packets; ++i) out.push_back(packet_of(following(spec, i)));
  return out;
}

using Groups = std::vector<std::vector<std::uint8_t>>;
Groups collected(const std::vector<Bytes>& burst, CoalesceRules rules = {}) {
  EXPECT_EQ(broken_law(burst, rules), "");
  Coalescer coalescer(rules);
  const auto views = views_of(burst);
  Groups out;
  for (const Bundle& bundle : coalescer.collect(views))
    out.push_back(members_of(coalescer, bundle));
  return out;
}

TEST(Coalescer, PutsAStreamTogether) {
  for (const bool v4 : {true, false}) {
    for (const bool tcp : {true, false}) {
      SCOPED_TRACE(std::string(v4 ? "IPv4" : "IPv6") + (tcp ? " TCP" : " UDP"));
      const PacketSpec spec{
          .v4 = v4, .tcp = tcp, .options = Bytes(tcp ? 12 : 0, std::byte{1}), .payload = 1000};
      auto burst = stream(spec, 20);
      PacketSpec last = following(spec, 20);
      last.payload = 333;
      burst.push_back(packet_of(last));
      Coalescer coalescer;
      const auto views = views_of(burst);
      const auto bundles = coalescer.collect(views);
      ASSERT_EQ(bundles.size(), 1U);
      EXPECT_EQ(bundles[0].packets, 21);
      const auto whole = whole_of(coalescer, bundles[0], burst);
      EXPECT_EQ(whole.packet.size(), bundles[0].headers + 20333U);
      EXPECT_EQ(whole.header.flags, VnetHeader::kNeedsChecksum);
      EXPECT_EQ(whole.header.gso_size, 1000);
      EXPECT_EQ(whole.header.header_size, bundles[0].headers);
      EXPECT_EQ(whole.header.checksum_start, v4 ? 20 : 40);
      EXPECT_EQ(whole.header.checksum_offset, tcp ? 16 : 6);
      const auto type = v4 ? VnetHeader::kGsoTcpV4 : VnetHeader::kGsoTcpV6;
      EXPECT_EQ(whole.header.gso_type, tcp ? type : VnetHeader::kGsoUdp);
      Bytes sent_whole = whole.packet;  // as the kernel would have given it to a device
      finish(sent_whole, true);
      EXPECT_EQ(whole.packet, sent_whole);
      EXPECT_EQ(broken_law(burst), "");
    }
  }
}

// What the second of three does to the stream: after it nothing is as if it had not been there.
TEST(Coalescer, LeavesAloneWhatWouldNotComeBack) {
  using Change = std::function<void(PacketSpec&)>;
  struct Row {
    const char* why;
    bool tcp;
    Change change;  // of the second of three
    Groups expected;
  };
  const Groups all{{0, 1, 2}};
  const Groups none{{0}, {1}, {2}};
  const Groups cut_before{{0}, {1, 2}};
  const Groups cut_after{{0, 1}, {2}};
  const Row rows[] = {
      {"nothing", true, [](PacketSpec&) {}, all},
      {"nothing", false, [](PacketSpec&) {}, all},
      {"PSH ends a whole", true, [](PacketSpec& s) { s.flags |= tcp::kPsh; }, cut_after},
      {"FIN ends a whole", true, [](PacketSpec& s) { s.flags |= tcp::kFin; }, cut_after},
      {"CWR begins one", true, [](PacketSpec& s) { s.flags |= tcp::kCwr; }, cut_before},
      {"ECE on one only", true, [](PacketSpec& s) { s.flags |= 0x40; }, none},
      {"SYN", true, [](PacketSpec& s) { s.flags |= tcp::kSyn; }, none},
      {"RST", true, [](PacketSpec& s) { s.flags |= tcp::kRst; }, none},
      {"URG", true, [](PacketSpec& s) { s.flags |= tcp::kUrg; }, none},
      {"ECN mark on one only", true, [](PacketSpec& s) { s.tos = 3; }, none},
      {"ECN mark on one only", false, [](PacketSpec& s) { s.tos = 3; }, none},
      {"another TTL", true, [](PacketSpec& s) { s.ttl = 63; }, none},
      {"may be fragmented, the others not", true, [](PacketSpec& s) { s.fragment = 0; }, none},
      {"acknowledges more", true, [](PacketSpec& s) { ++s.ack; }, none},
      {"another window", true, [](PacketSpec& s) { ++s.window; }, none},
      {"other timestamps", true, [](PacketSpec& s) { s.options.back() = std::byte{9}; }, none},
      {"more options", true, [](PacketSpec& s) { s.options.resize(24); }, none},
      {"something is missing before it", true, [](PacketSpec& s) { s.sequence += 1; }, none},
      {"an old one again", true, [](PacketSpec& s) { s.sequence -= 100; }, none},
      {"identification out of step", true, [](PacketSpec& s) { s.id += 5; }, none},
      {"identification out of step", false, [](PacketSpec& s) { s.id = 0; }, none},
      {"a shorter one ends a whole", false, [](PacketSpec& s) { s.payload = 99; }, cut_after},
      {"a longer one begins another", false, [](PacketSpec& s) { s.payload = 101; },
       Groups{{0}, {1, 2}}},
      {"no payload", true, [](PacketSpec& s) { s.payload = 0; }, none},
      {"no payload", false, [](PacketSpec& s) { s.payload = 0; }, none},
  };
  for (const auto& [why, tcp, change, expected] : rows) {
    SCOPED_TRACE(std::string(why) + (tcp ? ", TCP" : ", UDP"));
    const PacketSpec spec{.tcp = tcp, .flags = kAck, .options = Bytes(tcp ? 12 : 0, std::byte{1})};
    std::vector<Bytes> burst;
    for (std::size_t i = 0; i < 3; ++i) {
      PacketSpec next = following(spec, i);
      if (i == 1) change(next);
      burst.push_back(packet_of(next));
    }
    EXPECT_EQ(collected(burst), expected);
  }
}

TEST(Coalescer, CwrOnTheFirstIsToldToTheKernel) {
  const PacketSpec spec{.flags = kAck};
  auto burst = stream(spec, 3);
  PacketSpec first = spec;
  first.flags |= tcp::kCwr;
  first.seed = 0;
  burst[0] = packet_of(first);
  ASSERT_EQ(collected(burst), (Groups{{0, 1, 2}}));
  Coalescer coalescer;
  const auto views = views_of(burst);
  const auto whole = whole_of(coalescer, coalescer.collect(views)[0], burst);
  EXPECT_EQ(whole.header.gso_type, VnetHeader::kGsoTcpV4 | VnetHeader::kGsoEcn);
}

TEST(Coalescer, BrokenChecksumsStayTheReceiversBusiness) {
  for (const bool tcp : {true, false}) {
    for (const std::uint8_t broken : {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{2}}) {
      for (const std::size_t byte : {std::size_t{10}, std::size_t{60}}) {
        SCOPED_TRACE(std::to_string(broken) + " at " + std::to_string(byte));
        auto burst = stream({.tcp = tcp}, 3);
        burst[broken][byte] ^= std::byte{0x40};
        Groups expected{{0}, {1}, {2}};
        if (broken == 0) expected = {{0}, {1, 2}};
        if (broken == 2) expected = {{0, 1}, {2}};
        EXPECT_EQ(collected(burst), expected);
      }
    }
  }
  auto burst = stream({.tcp = false}, 3);
  for (Bytes& packet : burst) store_be_at(&packet[26], std::uint16_t{0});
  EXPECT_EQ(collected(burst), (Groups{{0}, {1}, {2}})) << "datagrams without a checksum";
}

TEST(Coalescer, FlowsMixedStayApartAndInOrder) {
  std::vector<Bytes> burst;
  for (std::size_t i = 0; i < 6; ++i) {
    for (std::uint16_t flow = 0; flow < 3; ++flow)
      burst.push_back(
          packet_of(following({.source_port = static_cast<std::uint16_t>(1000 + flow)}, i)));
  }
  EXPECT_EQ(collected(burst),
            (Groups{{0, 3, 6, 9, 12, 15}, {1, 4, 7, 10, 13, 16}, {2, 5, 8, 11, 14, 17}}));
}

TEST(Coalescer, NothingPassesWhatHasNoPorts) {
  auto burst = stream({.tcp = false}, 4);
  PacketSpec fragment{.tcp = false, .fragment = 0x2000, .payload = 400};
  burst.insert(burst.begin() + 2, packet_of(fragment));
  EXPECT_EQ(collected(burst), (Groups{{0, 1}, {2}, {3, 4}}));
  burst[2] = Bytes(3, std::byte{0x45});  // not even a packet
  EXPECT_EQ(collected(burst), (Groups{{0, 1}, {2}, {3, 4}}));
}

TEST(Coalescer, OneOfEachProtocolAtAWish) {
  auto burst = stream({.payload = 10}, 2);
  const auto datagrams = stream({.tcp = false, .payload = 10}, 2);
  burst.insert(burst.end(), datagrams.begin(), datagrams.end());
  EXPECT_EQ(collected(burst), (Groups{{0, 1}, {2, 3}}));
  EXPECT_EQ(collected(burst, {.tcp = true, .udp = false}), (Groups{{0, 1}, {2}, {3}}));
  EXPECT_EQ(collected(burst, {.tcp = false, .udp = true}), (Groups{{0}, {1}, {2, 3}}));
}

TEST(Coalescer, AWholeIsNoLongerThanAPacketMayBe) {
  for (const bool v4 : {true, false}) {
    const auto groups = collected(stream({.v4 = v4, .payload = 1240}, 64));
    ASSERT_EQ(groups.size(), 2U);
    EXPECT_EQ(groups[0].size(), 52U);
  }
}

}  // namespace
}  // namespace magnetar::offload
