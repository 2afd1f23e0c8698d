// SPDX-License-Identifier: Apache-2.0
#include "dataplane/wire/flow.h"

#include <set>

#include <gtest/gtest.h>

#include "dataplane/wire/header.h"
#include "dataplane/wire/outer_packet.h"
#include "tests/support/inner_packets.h"

namespace magnetar::wire {
namespace {

const IpAddr kA = IpAddr::v4(0x0a2a0001);
const IpAddr kB = IpAddr::v4(0x0a2a0002);

Bytes with_ports(Bytes packet, std::byte protocol, std::uint16_t source, std::uint16_t to) {
  const bool v4 = (packet[0] >> 4) == std::byte{4};
  packet[v4 ? 9 : 6] = protocol;
  const std::size_t at = v4 ? 20 : 40;
  store_be<std::uint16_t>(std::span<std::byte, 2>(&packet[at], 2), source);
  store_be<std::uint16_t>(std::span<std::byte, 2>(&packet[at + 2], 2), to);
  return packet;
}

using testing::ipv4;
using testing::ipv6;

TEST(Flow, OfAnOutsideFrameIsItsIndex) {
  for (const char* const where : {"192.0.2.1:4242", "[2001:db8::1]:4242"}) {
    const UnderlayAddr addr = UnderlayAddr::parse(where).value();
    const OuterTemplate outer({.source = addr, .destination = addr});
    Bytes frame(outer.size() + 32, std::byte{9});
    write_header(std::span<std::byte, 16>(&frame[outer.size()], 16),
                 {.type = MessageType::kMessage, .index = 0xdeadbeef, .counter = Counter{7}});
    outer.write_before(&frame[outer.size()], 32);
    EXPECT_EQ(outside_flow(frame), 0xdeadbeefU);
    for (std::size_t cut = 0; cut < outer.size() + 16; ++cut)
      EXPECT_EQ(outside_flow(ByteView(frame).first(cut)), 0U) << cut;
  }
}

TEST(Flow, OfAnInnerPacketIsItsFiveTuple) {
  const std::byte tcp{6};
  const std::byte udp{17};
  std::set<std::uint32_t> flows;
  std::size_t different = 0;
  const auto one_more = [&](const Bytes& packet) {
    flows.insert(inner_flow(packet));
    ++different;
  };
  for (const std::size_t size : {100U, 900U}) {  // the size says nothing
    different = 0;
    one_more(with_ports(ipv4(kA, kB, size), tcp, 1, 2));
    one_more(with_ports(ipv4(kA, kB, size), tcp, 1, 3));
    one_more(with_ports(ipv4(kA, kB, size), tcp, 2, 2));
    one_more(with_ports(ipv4(kA, kB, size), udp, 1, 2));
    one_more(with_ports(ipv4(kB, kA, size), udp, 1, 2));
    one_more(with_ports(ipv6("fd42::1", "fd42::2", size), udp, 1, 2));
    one_more(with_ports(ipv6("fd42::1", "fd42::2", size), udp, 1, 3));
    one_more(with_ports(ipv6("fd42::1", "fd42::3", size), udp, 1, 2));
  }
  EXPECT_EQ(flows.size(), different);
}

TEST(Flow, FragmentsOfOnePacketStayTogether) {
  Bytes first = with_ports(ipv4(kA, kB, 64), std::byte{17}, 1, 2);
  first[6] = std::byte{0x20};  // more fragments
  Bytes second = with_ports(ipv4(kA, kB, 64), std::byte{17}, 77, 88);
  second[7] = std::byte{8};  // an offset; what stands where ports were is data
  EXPECT_EQ(inner_flow(first), inner_flow(second));
}

TEST(Flow, TakesEveryCutPacket) {
  for (const Bytes& packet : {with_ports(ipv4(kA, kB, 8), std::byte{6}, 1, 2),
                              with_ports(ipv6("fd42::1", "fd42::2", 8), std::byte{6}, 1, 2)})
    for (std::size_t cut = 0; cut < 20; ++cut)
      EXPECT_EQ(inner_flow(ByteView(packet).first(cut)), 0U) << cut;
}

}  // namespace
}  // namespace magnetar::wire
