// SPDX-License-Identifier: Apache-2.0
#include "dataplane/wire/icmp_error.h"

#include <gtest/gtest.h>

#include "dataplane/wire/inner_packet.h"
#include "tests/support/offload.h"

namespace magnetar::wire {
namespace {

using magnetar::testing::plain_sum;

constexpr std::uint16_t kMtu = 1240;

// A packet with room for the error in front of it.
struct Offender {
  Bytes buffer;
  [[nodiscard]] MutableBytes packet() { return MutableBytes(buffer).subspan(kIcmpErrorRoom); }

  explicit Offender(const Bytes& packet) : buffer(kIcmpErrorRoom + packet.size(), std::byte{0xee}) {
    std::ranges::copy(packet, this->packet().begin());
  }
};

Bytes ipv4_packet(std::size_t size, std::uint8_t protocol = 17, std::uint8_t first = 0) {
  Bytes packet(size, std::byte{0x33});
  packet[0] = std::byte{0x45};
  store_be_at(&packet[2], static_cast<std::uint16_t>(size));
  store_be_at(&packet[6], std::uint16_t{0x4000});
  packet[9] = std::byte{protocol};
  store_be_at(&packet[12], std::uint32_t{0x0a2a0002});
  store_be_at(&packet[16], std::uint32_t{0x0a2a0001});
  packet[20] = std::byte{first};
  return packet;
}

Bytes ipv6_packet(std::size_t size, std::uint8_t next = 17, std::uint8_t first = 0) {
  Bytes packet(size, std::byte{0x33});
  packet[0] = std::byte{0x60};
  store_be_at(&packet[4], static_cast<std::uint16_t>(size - 40));
  packet[6] = std::byte{next};
  packet[8] = packet[24] = std::byte{0xfd};
  packet[40] = std::byte{first};
  return packet;
}

IpAddr router(bool v4) { return *IpAddr::parse(v4 ? "10.42.0.9" : "fd42::9"); }

TEST(IcmpError, Ipv4FragmentationNeededTellsTheMtuAndQuotesThePacket) {
  const Bytes packet = ipv4_packet(1300);
  Offender offender(packet);
  const ByteView error =
      write_icmp_error(IcmpError::kTooBig, kMtu, router(true), offender.packet());
  ASSERT_EQ(error.size(), 576U);
  InnerView view;
  ASSERT_TRUE(parse_inner(error, view));
  EXPECT_EQ(view.source_addr(), router(true));
  EXPECT_EQ(view.destination_addr(), *IpAddr::parse("10.42.0.2"));
  EXPECT_EQ(error[8], std::byte{64});
  EXPECT_EQ(error[9], std::byte{1});
  EXPECT_EQ(plain_sum(error.first(20)), 0xffff);
  const ByteView icmp = error.subspan(20);
  EXPECT_EQ(plain_sum(icmp), 0xffff);
  EXPECT_EQ(icmp[0], std::byte{3});
  EXPECT_EQ(icmp[1], std::byte{4});
  EXPECT_EQ(load_be_at<std::uint32_t>(&icmp[4]), kMtu);
  EXPECT_TRUE(std::ranges::equal(icmp.subspan(8), ByteView(packet).first(548)));
}

TEST(IcmpError, Ipv6PacketTooBig) {
  const Bytes packet = ipv6_packet(1400);
  Offender offender(packet);
  const ByteView error =
      write_icmp_error(IcmpError::kTooBig, kMtu, router(false), offender.packet());
  ASSERT_EQ(error.size(), 1280U);
  InnerView view;
  ASSERT_TRUE(parse_inner(error, view));
  EXPECT_EQ(view.source_addr(), router(false));
  EXPECT_EQ(view.destination_addr(), IpAddr::v6(ByteView(packet).subspan<8, 16>()));
  EXPECT_EQ(error[6], std::byte{58});
  const ByteView icmp = error.subspan(40);
  EXPECT_EQ(plain_sum(icmp, plain_sum(error.subspan(8, 32)) + 58U + 1240U), 0xffff);
  EXPECT_EQ(icmp[0], std::byte{2});
  EXPECT_EQ(icmp[1], std::byte{0});
  EXPECT_EQ(load_be_at<std::uint32_t>(&icmp[4]), kMtu);
  EXPECT_TRUE(std::ranges::equal(icmp.subspan(8), ByteView(packet).first(1232)));
}

TEST(IcmpError, TimeExceededQuotesAShortPacketWhole) {
  for (const bool v4 : {true, false}) {
    const Bytes packet = v4 ? ipv4_packet(61) : ipv6_packet(61);
    Offender offender(packet);
    const ByteView error =
        write_icmp_error(IcmpError::kTimeExceeded, kMtu, router(v4), offender.packet());
    const std::size_t headers = v4 ? 28 : 48;
    ASSERT_EQ(error.size(), headers + packet.size());
    const ByteView icmp = error.subspan(headers - 8);
    EXPECT_EQ(icmp[0], std::byte{v4 ? std::uint8_t{11} : std::uint8_t{3}});
    EXPECT_EQ(icmp[1], std::byte{0});
    EXPECT_EQ(load_be_at<std::uint32_t>(&icmp[4]), 0U);
    EXPECT_TRUE(std::ranges::equal(icmp.subspan(8), packet));
  }
}

struct Case {
  const char* why;
  Bytes packet;
  bool told;
};

Bytes changed(Bytes packet, std::size_t at, std::initializer_list<int> bytes) {
  for (const int byte : bytes) packet[at++] = static_cast<std::byte>(byte);
  return packet;
}

// An IPv6 packet whose ICMPv6 lies behind a header of `kind`, eight bytes of it.
Bytes behind(std::uint8_t kind, std::initializer_list<int> header, std::uint8_t icmp) {
  return changed(changed(ipv6_packet(100, kind), 40, header), 48, {icmp});
}

TEST(IcmpError, NotAboutEveryPacket) {
  const Case cases[] = {
      {"a datagram", ipv4_packet(100), true},
      {"an echo request", ipv4_packet(100, 1, 8), true},
      {"an ICMP error: two routers would never end", ipv4_packet(100, 1, 3), false},
      {"another", ipv4_packet(100, 1, 11), false},
      {"a first fragment", changed(ipv4_packet(100), 6, {0x20, 0}), true},
      {"a later fragment: its sender was told already", changed(ipv4_packet(100), 6, {0, 9}),
       false},
      {"to a group", changed(ipv4_packet(100), 16, {224, 0, 0, 5}), false},
      {"from a group", changed(ipv4_packet(100), 12, {224, 0, 0, 5}), false},
      {"from all", changed(ipv4_packet(100), 12, {255, 255, 255, 255}), false},
      {"from nobody", changed(ipv4_packet(100), 12, {0, 0, 0, 0}), false},
      {"from itself", changed(ipv4_packet(100), 12, {127, 0, 0, 1}), false},
      {"not a whole packet", changed(ipv4_packet(100), 2, {0, 99}), false},
      {"an IPv6 datagram", ipv6_packet(100), true},
      {"an IPv6 echo request", ipv6_packet(100, 58, 128), true},
      {"an ICMPv6 error", ipv6_packet(100, 58, 1), false},
      {"a redirect", ipv6_packet(100, 58, 137), false},
      {"to an IPv6 group", changed(ipv6_packet(100), 24, {0xff, 2}), false},
      {"an error behind options", behind(60, {58, 0}, 1), false},
      {"an echo behind options", behind(0, {58, 0}, 129), true},
      {"a first IPv6 fragment", behind(44, {58, 0, 0, 1}, 128), true},
      {"a later IPv6 fragment", behind(44, {58, 0, 0, 9}, 128), false},
      {"options longer than the packet", behind(60, {58, 200}, 128), false},
  };
  for (const Case& row : cases) {
    SCOPED_TRACE(row.why);
    Offender offender(row.packet);
    const Bytes before = offender.buffer;
    const bool v4 = row.packet[0] == std::byte{0x45};
    const ByteView error =
        write_icmp_error(IcmpError::kTooBig, kMtu, router(v4), offender.packet());
    EXPECT_EQ(!error.empty(), row.told);
    EXPECT_EQ(offender.buffer == before, !row.told);
  }
}

TEST(IcmpError, NotFromAnAddressOfTheOtherFamily) {
  Offender offender(ipv4_packet(100));
  EXPECT_TRUE(write_icmp_error(IcmpError::kTooBig, kMtu, router(false), offender.packet()).empty());
}

TEST(IcmpLimit, BurstsAndThenAThousandASecond) {
  IcmpLimit limit;
  Instant now(std::chrono::seconds(1));
  int taken = 0;
  while (limit.take(now)) ++taken;
  EXPECT_EQ(taken, 50);
  now += std::chrono::milliseconds(1);
  EXPECT_TRUE(limit.take(now));
  EXPECT_FALSE(limit.take(now));
}

}  // namespace
}  // namespace magnetar::wire
