// SPDX-License-Identifier: Apache-2.0
#include <array>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <sys/socket.h>

#include "drivers/net/netlink.h"
#include "drivers/net/tun_port.h"
#include "drivers/net/twin.h"
#include "tests/unit/drivers/net/testbed.h"

namespace magnetar {
namespace {

using testbed::eventually;
using testbed::ip;
using testbed::prefix;

ByteView bytes_of(const rte_mbuf* packet) {
  return {rte_pktmbuf_mtod(packet, const std::byte*), packet->data_len};
}

sockaddr_in at(const char* address, std::uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  inet_pton(AF_INET, address, &to.sin_addr);
  return to;
}

const sockaddr* generic(const sockaddr_in& to) {
  return reinterpret_cast<const sockaddr*>(&to);
}  // NOLINT

class Tun : public testing::TestWithParam<std::uint16_t> {};

TEST_P(Tun, CarriesPacketsBothWays) {
  const unsigned before = rte_mempool_avail_count(testbed::pool());
  {
    auto port = TunPort::open({.name = "tun-test",
                               .mtu = 1300,
                               .queues = GetParam(),
                               .addresses = {prefix("10.42.0.1/16"), prefix("fd42::1/64")}},
                              testbed::pool());
    ASSERT_TRUE(port) << port.error().what;
    std::vector<std::unique_ptr<PortQueue>> queues;
    for (std::uint16_t i = 0; i < GetParam(); ++i)
      queues.push_back((*port)->queue_for_worker(i, i));
    queues.push_back((*port)->queue_for_worker(GetParam(), std::nullopt));

    const UniqueFd socket_fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const sockaddr_in own = at("10.42.0.1", 7000);
    const sockaddr_in peer = at("10.42.9.9", 7001);
    ASSERT_EQ(bind(socket_fd.get(), generic(own), sizeof(own)), 0);
    ASSERT_EQ(sendto(socket_fd.get(), "ping", 4, 0, generic(peer), sizeof(peer)), 4);

    // Which queue it comes out of is the kernel's choice.
    std::array<rte_mbuf*, 4> packets{};
    std::uint16_t got = 0;
    ASSERT_TRUE(eventually([&] {
      for (auto& queue : queues) {
        if (got == 0) got = queue->receive(packets);
      }
      return got != 0;
    }));
    ASSERT_EQ(got, 1) << "nothing but what was sent: no IPv6 chatter of the kernel's";
    EXPECT_TRUE(testbed::contains(bytes_of(packets[0]), "ping"));
    EXPECT_EQ(packets[0]->data_len, 20 + 8 + 4);
    EXPECT_GE(rte_pktmbuf_headroom(packets[0]), 128);
    EXPECT_GE(rte_pktmbuf_tailroom(packets[0]), 64);

    // Sent back with the ends swapped, by the worker that only writes.
    auto* packet = rte_pktmbuf_mtod(packets[0], std::byte*);
    std::swap_ranges(packet + 12, packet + 16, packet + 16);
    std::swap_ranges(packet + 20, packet + 22, packet + 22);
    ASSERT_EQ(queues.back()->transmit(std::span(packets).first(1)), 1);
    std::array<char, 16> answer{};
    EXPECT_EQ(recv(socket_fd.get(), answer.data(), answer.size(), 0), 4);
    EXPECT_STREQ(answer.data(), "ping");
  }
  EXPECT_EQ(rte_mempool_avail_count(testbed::pool()), before) << "every buffer came back";
}

INSTANTIATE_TEST_SUITE_P(Queues, Tun, testing::Values(1, 2));

TEST(TunPort, IsAddressedAsAsked) {
  auto port = TunPort::open({.name = "tun%d",
                             .mtu = 1280,
                             .queues = 1,
                             .addresses = {prefix("10.42.0.1/16"), prefix("fd42::1/64")}},
                            testbed::pool());
  ASSERT_TRUE(port) << port.error().what;
  EXPECT_EQ((*port)->name(), "tun0") << "as the kernel chose it";
  const auto netlink = Netlink::open((*port)->name());
  ASSERT_TRUE(netlink);
  EXPECT_EQ((*netlink)->link().mtu, 1280U);
  const std::vector expected{prefix("10.42.0.1/16"), prefix("fd42::1/64")};
  EXPECT_TRUE(eventually([&] {  // the kernel takes a moment to see that no IPv6 probe is needed
    (*netlink)->process();
    return (*netlink)->addresses() == expected;
  })) << "and no link-local one";
  EXPECT_TRUE(add_route((*port)->link_index(), prefix("10.43.0.0/16"), ip("10.42.0.9")));
  EXPECT_NE(testbed::output("ip route get 10.43.1.1").find("via 10.42.0.9 dev tun0"),
            std::string::npos);
}

TEST(TunPort, RefusesANameThatIsTaken) {
  for (const std::uint16_t queues : {std::uint16_t{1}, std::uint16_t{2}}) {
    SCOPED_TRACE(queues);
    const TunOptions options{.name = "taken", .mtu = 1300, .queues = queues, .addresses = {}};
    const auto first = TunPort::open(options, testbed::pool());
    ASSERT_TRUE(first);
    const auto second = TunPort::open(options, testbed::pool());
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().what.find("taken"), std::string::npos) << second.error().what;
  }
}

TEST(TunPort, StopsAtWhatTheKernelRefuses) {
  auto port = TunPort::open({.name = "tun-down", .mtu = 1300, .queues = 1, .addresses = {}},
                            testbed::pool());
  ASSERT_TRUE(port);
  const auto queue = (*port)->queue_for_worker(0, 0);
  testbed::run("ip link set tun-down down");
  std::array<rte_mbuf*, 1> packets{rte_pktmbuf_alloc(testbed::pool())};
  rte_pktmbuf_append(packets[0], 40);
  EXPECT_EQ(queue->transmit(packets), 0) << "the caller keeps it, and counts it";
  rte_pktmbuf_free(packets[0]);
}

TEST(Twin, IsTheKernelsFaceOfAPort) {
  const MacAddr mac{std::byte{2}, {}, {}, {}, {}, std::byte{9}};
  auto twin = Twin::open("twin0", mac, 1400);
  ASSERT_TRUE(twin) << twin.error().what;
  const auto netlink = Netlink::open("twin0");
  ASSERT_TRUE(netlink);
  EXPECT_EQ((*netlink)->link().mac, mac);
  EXPECT_EQ((*netlink)->link().mtu, 1400U);
  ASSERT_TRUE(add_address((*netlink)->link().index, prefix("10.78.0.1/24")));

  // A question that came in by the port; the kernel's answer leaves by it.
  Bytes request = testbed::arp_request(ip("10.78.0.2"), ip("10.78.0.1"));
  ASSERT_TRUE((*twin)->write(request));
  Bytes frame(2048);
  EXPECT_TRUE(eventually([&] {
    const auto size = (*twin)->read(frame);
    return size && testbed::is_arp_reply(ByteView(frame).first(*size));
  }));
}

}  // namespace
}  // namespace magnetar
