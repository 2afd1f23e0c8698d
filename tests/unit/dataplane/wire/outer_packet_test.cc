// SPDX-License-Identifier: Apache-2.0
#include "dataplane/wire/outer_packet.h"

#include <random>

#include <gtest/gtest.h>

#include "dataplane/wire/header.h"

namespace magnetar::wire {
namespace {

OuterPath path(std::string_view from, std::string_view to) {
  return {.source_mac = {std::byte{2}, {}, {}, {}, {}, std::byte{1}},
          .next_mac = {std::byte{2}, {}, {}, {}, {}, std::byte{2}},
          .source = *UnderlayAddr::parse(from),
          .destination = *UnderlayAddr::parse(to)};
}

Bytes frame_with(const OuterPath& where, const Bytes& payload) {
  const OuterTemplate outer(where);
  Bytes frame(outer.size() + payload.size());
  std::ranges::copy(payload, frame.begin() + static_cast<std::ptrdiff_t>(outer.size()));
  EXPECT_EQ(outer.write_before(frame.data() + outer.size(), payload.size()), frame.data());
  return frame;
}

// RFC 1071, word by word: nothing shared with the code under test.
std::uint16_t checksum(ByteView bytes, std::uint32_t sum) {
  for (std::size_t i = 0; i < bytes.size(); ++i)
    sum += std::to_integer<std::uint32_t>(bytes[i]) << (i % 2 == 0 ? 8U : 0U);
  while (sum >> 16U) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(sum);
}

Bytes some_bytes(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 37 + 5);
  return bytes;
}

TEST(OuterPacket, WhatIsWrittenIsParsed) {
  for (const auto& [from, to] : {std::pair{"192.0.2.1:4242", "198.51.100.9:65535"},
                                 std::pair{"[2001:db8::1]:4242", "[2001:db8:1::9]:1"}}) {
    for (const std::size_t size : {0U, 1U, 31U, 32U, 33U, 1420U, 8900U}) {
      SCOPED_TRACE(std::string(to) + " " + std::to_string(size));
      const Bytes frame = frame_with(path(from, to), some_bytes(size));
      OuterView view;
      ASSERT_EQ(parse_outer(frame, view), Verdict::kForward);
      EXPECT_EQ(view.source(), UnderlayAddr::parse(from)->ip);
      EXPECT_EQ(view.destination(), UnderlayAddr::parse(to)->ip);
      EXPECT_EQ(view.source_port, UnderlayAddr::parse(from)->port);
      EXPECT_EQ(view.destination_port, UnderlayAddr::parse(to)->port);
      EXPECT_EQ(view.payload_length, size);
      EXPECT_EQ(view.source_key(), underlay_key(*UnderlayAddr::parse(from)));
    }
  }
}

// The quick look may pass a frame over, but never sees another packet than the whole parsers do.
TEST(PlainFrame, AgreesWithTheWholeParsers) {
  Bytes payload = some_bytes(100);
  payload[0] = std::byte{0x11};
  payload[1] = std::byte{0};
  const Bytes good = frame_with(path("192.0.2.1:4242", "198.51.100.9:4243"), payload);
  PlainFrame plain;
  ASSERT_TRUE(plain.parse(good));
  std::minstd_rand random(1);
  std::size_t seen = 0;
  for (int round = 0; round < 200'000; ++round) {
    Bytes frame = good;
    for (auto changes = random() % 3; changes > 0; --changes)
      frame[random() % 64] = static_cast<std::byte>(random());
    if (random() % 2 == 0) frame.resize(random() % (frame.size() + 1));
    if (random() % 4 == 0) frame.resize(frame.size() + random() % 20);
    if (!plain.parse(frame)) continue;
    ++seen;
    OuterView view;
    ASSERT_EQ(parse_outer(frame, view), Verdict::kForward);
    const auto header =
        parse_header(ByteView(frame).subspan(view.payload_offset, view.payload_length));
    ASSERT_TRUE(header);
    EXPECT_TRUE(view.v4);
    EXPECT_EQ(view.payload_offset, PlainFrame::kPayload);
    EXPECT_EQ(view.payload_length, plain.payload_length);
    EXPECT_GE(view.payload_length, 32);
    EXPECT_EQ(view.source_ip, plain.source_ip);
    EXPECT_EQ(view.destination_ip, plain.destination_ip);
    EXPECT_EQ(view.destination_port, plain.destination_port);
    EXPECT_EQ(view.source_key(), plain.source_key);
    EXPECT_EQ(*header, (Header{.type = MessageType::kMessage,
                               .index = plain.index,
                               .counter = Counter{plain.counter}}));
  }
  EXPECT_GT(seen, 10'000U);
}

TEST(OuterPacket, Ipv4HeaderChecksumHolds) {
  for (const std::size_t size : {0U, 1U, 999U, 1420U, 65'000U}) {
    const Bytes frame = frame_with(path("192.0.2.1:4242", "203.0.113.7:4242"), some_bytes(size));
    EXPECT_EQ(checksum(ByteView(frame).subspan(kEthernetSize, kIpv4Size), 0), 0xffff) << size;
  }
}

TEST(OuterPacket, Ipv6UdpChecksumHolds) {
  for (std::size_t size = 0; size < 70; ++size) {
    const Bytes frame = frame_with(path("[2001:db8::1]:4242", "[fe80::9]:4242"), some_bytes(size));
    const ByteView ip = ByteView(frame).subspan(kEthernetSize);
    const auto length = static_cast<std::uint32_t>(size + kUdpSize);
    const std::uint16_t addresses = checksum(ip.subspan(8, 32), length + 17);
    EXPECT_EQ(checksum(ip.subspan(kIpv6Size), addresses), 0xffff) << size;
  }
}

TEST(OuterPacket, NothingCutShortIsAccepted) {
  for (const char* to : {"198.51.100.9:4242", "[2001:db8::9]:4242"}) {
    const char* from = to[0] == '[' ? "[2001:db8::1]:4242" : "192.0.2.1:4242";
    const Bytes frame = frame_with(path(from, to), some_bytes(40));
    for (std::size_t size = 0; size < frame.size(); ++size) {
      OuterView view;
      EXPECT_NE(parse_outer(ByteView(frame).first(size), view), Verdict::kForward) << size;
    }
  }
}

TEST(OuterPacket, RefusesWhatItCannotJudge) {
  const Bytes good = frame_with(path("192.0.2.1:4242", "198.51.100.9:4242"), some_bytes(40));
  struct Case {
    const char* why;
    std::size_t at;
    unsigned value;
    Verdict expected;
  };
  const Case cases[] = {
      {"ARP is the kernel's", 13, 0x06, Verdict::kNotOurs},
      {"TCP is the kernel's", 23, 6, Verdict::kNotOurs},
      {"IP version 5", 14, 0x55, Verdict::kMalformedOuter},
      {"IP header of 16 bytes", 14, 0x44, Verdict::kMalformedOuter},
      {"IP options past the end of the packet", 14, 0x4f, Verdict::kMalformedOuter},
      {"total length past the frame", 16, 0x70, Verdict::kMalformedOuter},
      {"first fragment", 20, 0x20, Verdict::kMalformedOuter},
      {"later fragment", 21, 0x01, Verdict::kMalformedOuter},
      {"UDP length past the IP packet", 38, 0x70, Verdict::kMalformedOuter},
      {"UDP length below its header", 39, 0x07, Verdict::kMalformedOuter},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    Bytes frame = good;
    frame[c.at] = static_cast<std::byte>(c.value);
    OuterView view;
    EXPECT_EQ(parse_outer(frame, view), c.expected);
  }
}

}  // namespace
}  // namespace magnetar::wire
