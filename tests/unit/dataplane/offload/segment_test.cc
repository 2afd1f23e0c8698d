// SPDX-License-Identifier: Apache-2.0
#include "dataplane/offload/segment.h"

#include <gtest/gtest.h>

#include "tests/support/offload.h"

namespace magnetar::offload {
namespace {

using magnetar::testing::checksums_right;
using magnetar::testing::finish;
using magnetar::testing::packet_of;
using magnetar::testing::PacketSpec;
using magnetar::testing::segments_of;

constexpr std::uint8_t kAck = 0x10;
constexpr std::uint8_t kEce = 0x40;

VnetHeader header_for(const PacketSpec& spec, std::uint16_t gso_size) {
  const auto type = spec.v4 ? VnetHeader::kGsoTcpV4 : VnetHeader::kGsoTcpV6;
  return {.flags = VnetHeader::kNeedsChecksum,
          .gso_type = spec.tcp ? type : VnetHeader::kGsoUdp,
          .gso_size = gso_size,
          .checksum_start = static_cast<std::uint16_t>(spec.v4 ? 20 : 40),
          .checksum_offset = static_cast<std::uint16_t>(spec.tcp ? 16 : 6)};
}

Bytes whole_of(const PacketSpec& spec) {
  Bytes packet = packet_of(spec);
  finish(packet, true);
  return packet;
}

// What the sender would have sent had it cut the piece itself.
std::vector<Bytes> cut_by_hand(const PacketSpec& whole, std::size_t gso_size) {
  const Bytes all = packet_of(whole);
  const std::size_t headers = all.size() - whole.payload;
  std::vector<Bytes> out;
  for (std::size_t at = 0; at < whole.payload; at += gso_size) {
    PacketSpec spec = whole;
    spec.payload = std::min(gso_size, whole.payload - at);
    spec.id = static_cast<std::uint16_t>(whole.id + out.size());
    spec.sequence = static_cast<std::uint32_t>(whole.sequence + at);
    if (at > 0) spec.flags &= static_cast<std::uint8_t>(~tcp::kCwr);
    if (at + gso_size < whole.payload)
      spec.flags &= static_cast<std::uint8_t>(~(tcp::kFin | tcp::kPsh));
    Bytes packet = packet_of(spec);
    std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(headers + at), spec.payload,
                packet.begin() + static_cast<std::ptrdiff_t>(headers));
    finish(packet);
    out.push_back(std::move(packet));
  }
  return out;
}

TEST(Segmenter, CutsAsTheSenderWould) {
  struct Row {
    const char* why;
    PacketSpec whole;
    std::uint16_t gso_size;
    std::size_t segments;
  };
  const Bytes timestamps(12, std::byte{0x08});
  const Row rows[] = {
      {"TCP over IPv4, a last one that is shorter", {.payload = 5000}, 1248, 5},
      {"nothing over", {.payload = 2496}, 1248, 2},
      {"one segment that is not full", {.payload = 7}, 1248, 1},
      {"odd sizes", {.payload = 1000}, 333, 4},
      {"with options", {.options = timestamps, .payload = 4000}, 1236, 4},
      {"the most that fits IPv4", {.payload = 65495}, 1248, 53},
      {"identification and sequence wrap",
       {.id = 0xfffe, .sequence = 0xffffff00U, .payload = 5000},
       1248,
       5},
      {"PSH and FIN on the last only",
       {.flags = tcp::kFin | tcp::kPsh | kAck, .payload = 3000},
       1000,
       3},
      {"CWR on the first only", {.flags = tcp::kCwr | kEce | kAck, .payload = 3000}, 1000, 3},
      {"TCP over IPv6", {.v4 = false, .options = timestamps, .payload = 5000}, 1228, 5},
      {"the most that fits IPv6", {.v4 = false, .payload = 65515}, 1228, 54},
      {"datagrams over IPv4", {.tcp = false, .payload = 5000}, 1200, 5},
      {"datagrams over IPv6", {.v4 = false, .tcp = false, .payload = 333}, 64, 6},
      {"may be fragmented: so may its segments", {.fragment = 0, .payload = 3000}, 1000, 3},
  };
  for (const auto& [why, whole, gso_size, count] : rows) {
    SCOPED_TRACE(why);
    const auto segments = segments_of(header_for(whole, gso_size), whole_of(whole), 1300);
    ASSERT_TRUE(segments);
    EXPECT_EQ(segments->size(), count);
    EXPECT_EQ(*segments, cut_by_hand(whole, gso_size));
    for (const Bytes& segment : *segments) EXPECT_TRUE(checksums_right(segment));
  }
}

TEST(Segmenter, EveryChecksumOfDatagramsIsOne) {
  // A sum that comes out as 0 must be written as its other form: 0 says that there is none.
  PacketSpec spec{.tcp = false, .payload = 2};
  bool seen = false;
  for (std::uint32_t port = 0; port < 65536 && !seen; ++port) {
    spec.source_port = static_cast<std::uint16_t>(port);
    const auto segments = segments_of(header_for(spec, 64), whole_of(spec));
    ASSERT_TRUE(segments);
    EXPECT_EQ(segments->front(), packet_of(spec));
    seen = load_be_at<std::uint16_t>(&segments->front()[26]) == 0xffff;
  }
  EXPECT_TRUE(seen);
}

TEST(Segmenter, KeepsExtensionHeaders) {
  const PacketSpec spec{.v4 = false, .payload = 2500};
  Bytes whole = whole_of(spec);
  Bytes options(16);  // hop by hop, padding only
  options[0] = whole[6];
  options[1] = std::byte{1};
  options[2] = std::byte{1};
  options[3] = std::byte{12};
  whole[6] = std::byte{0};
  whole.insert(whole.begin() + 40, options.begin(), options.end());
  store_be_at(&whole[4], static_cast<std::uint16_t>(whole.size() - 40));
  VnetHeader header = header_for(spec, 1000);
  header.checksum_start = 56;
  const auto segments = segments_of(header, whole);
  ASSERT_TRUE(segments);
  const auto expected = cut_by_hand(spec, 1000);
  ASSERT_EQ(segments->size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    Bytes segment = (*segments)[i];
    EXPECT_EQ(load_be_at<std::uint16_t>(&segment[4]), segment.size() - 40);
    EXPECT_TRUE(
        std::ranges::equal(ByteView(segment).subspan(56), ByteView(expected[i]).subspan(40)))
        << "the pseudo header knows nothing of them";
  }
}

TEST(Segmenter, RefusesWhatDoesNotFitTogether) {
  using Change = void (*)(VnetHeader&, Bytes&);
  struct Row {
    const char* why;
    Change change;
  };
  const PacketSpec spec{.payload = 3000};
  const Row rows[] = {
      {"no segments", [](VnetHeader& h, Bytes&) { h.gso_type = VnetHeader::kGsoNone; }},
      {"UDP fragmentation, which is not asked for", [](VnetHeader& h, Bytes&) { h.gso_type = 3; }},
      {"a type that does not exist", [](VnetHeader& h, Bytes&) { h.gso_type = 0x7f; }},
      {"type of the other family",
       [](VnetHeader& h, Bytes&) { h.gso_type = VnetHeader::kGsoTcpV6; }},
      {"type of the other protocol",
       [](VnetHeader& h, Bytes&) { h.gso_type = VnetHeader::kGsoUdp; }},
      {"segments of nothing", [](VnetHeader& h, Bytes&) { h.gso_size = 0; }},
      {"segments longer than a packet may be", [](VnetHeader& h, Bytes&) { h.gso_size = 1261; }},
      {"no checksum wanted", [](VnetHeader& h, Bytes&) { h.flags = 0; }},
      {"checksum not at the transport header",
       [](VnetHeader& h, Bytes&) { h.checksum_start = 24; }},
      {"checksum in a wrong place", [](VnetHeader& h, Bytes&) { h.checksum_offset = 6; }},
      {"checksum outside of the packet", [](VnetHeader& h, Bytes&) { h.checksum_start = 0xffff; }},
      {"no packet", [](VnetHeader&, Bytes& p) { p.clear(); }},
      {"no IP header", [](VnetHeader&, Bytes& p) { p.resize(19); }},
      {"no TCP header", [](VnetHeader&, Bytes& p) { p.resize(39); }},
      {"no payload", [](VnetHeader&, Bytes& p) { p.resize(40); }},
      {"TCP options cut off", [](VnetHeader&, Bytes& p) { p.resize(41), p[32] = std::byte{0xf0}; }},
      {"a TCP header shorter than one", [](VnetHeader&, Bytes& p) { p[32] = std::byte{0x40}; }},
      {"an IP header shorter than one", [](VnetHeader&, Bytes& p) { p[0] = std::byte{0x44}; }},
      {"neither IPv4 nor IPv6", [](VnetHeader&, Bytes& p) { p[0] = std::byte{0x55}; }},
      {"a fragment", [](VnetHeader&, Bytes& p) { p[7] = std::byte{1}; }},
      {"the first of several fragments", [](VnetHeader&, Bytes& p) { p[6] = std::byte{0x20}; }},
      {"not TCP", [](VnetHeader&, Bytes& p) { p[9] = std::byte{17}; }},
      {"longer than any packet", [](VnetHeader&, Bytes& p) { p.resize(20 + 65536); }},
  };
  EXPECT_TRUE(segments_of(header_for(spec, 1260), whole_of(spec), 1300)) << "unchanged it does";
  for (const auto& [why, change] : rows) {
    SCOPED_TRACE(why);
    VnetHeader header = header_for(spec, 1260);
    Bytes whole = whole_of(spec);
    change(header, whole);
    Segmenter segmenter;
    EXPECT_FALSE(segmenter.start(header, whole, 1300));
    EXPECT_TRUE(segmenter.done());
  }
}

TEST(Segmenter, RefusesExtensionHeadersThatEndOutside) {
  const PacketSpec spec{.v4 = false, .payload = 3000};
  for (const std::uint8_t words : {std::uint8_t{255}, std::uint8_t{20}}) {
    SCOPED_TRACE(words);
    Bytes whole = whole_of(spec);
    whole[6] = std::byte{60};
    whole[40] = std::byte{6};
    whole[41] = std::byte{words};
    if (words == 255) whole.resize(1000);
    VnetHeader header = header_for(spec, 1000);
    header.checksum_start = static_cast<std::uint16_t>(40 + (words + 1) * 8);
    EXPECT_FALSE(segments_of(header, whole)) << "cut short, or more than is kept of headers";
  }
}

TEST(Checksum, OfASinglePacketIsFinished) {
  for (const bool v4 : {true, false}) {
    for (const bool tcp : {true, false}) {
      SCOPED_TRACE(std::string(v4 ? "IPv4" : "IPv6") + (tcp ? " TCP" : " UDP"));
      const PacketSpec spec{.v4 = v4, .tcp = tcp, .payload = 333};
      VnetHeader header = header_for(spec, 0);
      header.gso_type = VnetHeader::kGsoNone;
      Bytes packet = whole_of(spec);
      ASSERT_NE(packet, packet_of(spec));
      ASSERT_TRUE(complete_checksum(header, packet));
      EXPECT_EQ(packet, packet_of(spec));
      header.flags = 0;
      packet[50] ^= std::byte{1};
      const Bytes before = packet;
      ASSERT_TRUE(complete_checksum(header, packet));
      EXPECT_EQ(packet, before) << "not asked for";
    }
  }
}

TEST(Checksum, IsRefusedOutsideOfThePacket) {
  struct Row {
    const char* why;
    std::uint16_t start;
    std::uint16_t offset;
  };
  const Row rows[] = {
      {"begins behind the end", 2000, 6},
      {"the field is behind the end", 20, 0xffff},
      {"the field's second byte is behind the end", 20, 19},
      {"an odd place", 21, 6},
      {"an odd field", 20, 7},
  };
  for (const auto& [why, start, offset] : rows) {
    SCOPED_TRACE(why);
    Bytes packet(40, std::byte{0x45});
    const Bytes before = packet;
    EXPECT_FALSE(complete_checksum(
        {.flags = VnetHeader::kNeedsChecksum, .checksum_start = start, .checksum_offset = offset},
        packet));
    EXPECT_EQ(packet, before);
  }
}

}  // namespace
}  // namespace magnetar::offload
