// SPDX-License-Identifier: Apache-2.0
#include <array>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/udp.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <sys/socket.h>

#include "drivers/net/netlink.h"
#include "drivers/net/tun_port.h"
#include "drivers/net/twin.h"
#include "tests/support/offload.h"
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

struct TunCase {
  std::uint16_t queues;
  bool offloads;
};
class Tun : public ::testing::TestWithParam<TunCase> {};

TEST_P(Tun, CarriesPacketsBothWays) {
  const unsigned before = rte_mempool_avail_count(testbed::pool());
  {
    auto port = TunPort::open({.name = "tun-test",
                               .mtu = 1300,
                               .queues = GetParam().queues,
                               .offloads = GetParam().offloads,
                               .addresses = {prefix("10.42.0.1/16"), prefix("fd42::1/64")}},
                              testbed::pool());
    ASSERT_TRUE(port) << port.error().what;
    WorkerStats stats;
    std::vector<std::unique_ptr<PortQueue>> queues;
    for (std::uint16_t i = 0; i < GetParam().queues; ++i)
      queues.push_back((*port)->queue_for_worker(i, i, stats));
    queues.push_back((*port)->queue_for_worker(GetParam().queues, std::nullopt, stats));

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

INSTANTIATE_TEST_SUITE_P(Queues, Tun,
                         ::testing::Values(TunCase{1, false}, TunCase{2, false}, TunCase{1, true},
                                           TunCase{2, true}));

// A device with offloads, its only queue, and a UDP socket on the kernel's side.
class TunOffload : public ::testing::TestWithParam<bool> {
 protected:
  static constexpr std::size_t kPiece = 1000;

  void SetUp() override {
    auto port = TunPort::open({.name = "tun-many",
                               .mtu = 1300,
                               .queues = 1,
                               .addresses = {prefix("10.42.0.1/16"), prefix("fd42::1/64")}},
                              testbed::pool());
    ASSERT_TRUE(port) << port.error().what;
    port_ = std::move(*port);
    queue_ = port_->queue_for_worker(0, 0, stats_);
    if (port_->offloads().find("uso") == std::string::npos) GTEST_SKIP() << port_->note();
    const int family = v4() ? AF_INET : AF_INET6;
    socket_.emplace(socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ASSERT_TRUE(eventually([&] {  // IPv6 takes a moment to see that the address is free
      return bind(socket_->get(), address(own_), size_of(own_)) == 0;
    }));
    ASSERT_EQ(connect(socket_->get(), address(peer_), size_of(peer_)), 0);
  }
  [[nodiscard]] static bool v4() { return GetParam(); }
  void set(int option, int value) const {
    ASSERT_EQ(setsockopt(socket_->get(), SOL_UDP, option, &value, sizeof(value)), 0);
  }
  // Some packets, whatever it takes until the kernel has sent the last of them.
  std::vector<rte_mbuf*> receive(std::size_t count, std::size_t at_once) {
    std::vector<rte_mbuf*> out;
    eventually([&] {
      std::array<rte_mbuf*, 64> some;
      const auto got = queue_->receive(std::span(some).first(at_once));
      out.insert(out.end(), some.begin(), some.begin() + got);
      return out.size() >= count;
    });
    return out;
  }
  // As the peer would send it back.
  static void turn_around(rte_mbuf& packet) {
    auto* const p = rte_pktmbuf_mtod(&packet, std::byte*);
    const std::ptrdiff_t l4 = v4() ? 20 : 40;
    const std::ptrdiff_t addresses = v4() ? 12 : 8;
    std::swap_ranges(p + addresses, p + (addresses + l4) / 2, p + (addresses + l4) / 2);
    std::swap_ranges(p + l4, p + l4 + 2, p + l4 + 2);
  }
  static const sockaddr* address(const sockaddr_storage& of) {
    return reinterpret_cast<const sockaddr*>(&of);  // NOLINT
  }
  static socklen_t size_of(const sockaddr_storage& of) {
    return of.ss_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  }
  static sockaddr_storage place(const char* four, const char* six, std::uint16_t port) {
    sockaddr_storage to{};
    if (v4()) {
      const sockaddr_in in = at(four, port);
      std::memcpy(&to, &in, sizeof(in));
    } else {
      sockaddr_in6 in{};
      in.sin6_family = AF_INET6;
      in.sin6_port = htons(port);
      inet_pton(AF_INET6, six, &in.sin6_addr);
      std::memcpy(&to, &in, sizeof(in));
    }
    return to;
  }

  WorkerStats stats_;
  std::unique_ptr<TunPort> port_;
  std::unique_ptr<PortQueue> queue_;
  std::optional<UniqueFd> socket_;
  sockaddr_storage own_ = place("10.42.0.1", "fd42::1", 7000);
  sockaddr_storage peer_ = place("10.42.9.9", "fd42::9", 7001);
};

TEST_P(TunOffload, ManyDatagramsArriveAsOneAndLeaveAsOne) {
  constexpr std::size_t kHeaders = 8;
  const std::size_t headers = (v4() ? 20 : 40) + kHeaders;
  const unsigned before = rte_mempool_avail_count(testbed::pool());
  set(UDP_SEGMENT, kPiece);
  Bytes text(12'345);
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<std::byte>(i * i >> 5U);
  ASSERT_EQ(send(socket_->get(), text.data(), text.size(), 0), ssize_t{12'345});

  // 13 packets, asked for 5 at a time: what is many waits for the next question.
  std::vector<rte_mbuf*> packets = receive(13, 5);
  ASSERT_EQ(packets.size(), 13U);
  Bytes received;
  for (const rte_mbuf* packet : packets) {
    EXPECT_TRUE(magnetar::testing::checksums_right(bytes_of(packet)));
    EXPECT_EQ(packet->data_len, packet == packets.back() ? headers + 345 : headers + kPiece);
    EXPECT_GE(rte_pktmbuf_headroom(packet), 128);
    EXPECT_GE(rte_pktmbuf_tailroom(packet), 64);
    append(received, bytes_of(packet).subspan(headers));
  }
  EXPECT_EQ(received, text);

  // The same back: one datagram of many for who can read those, many for who cannot.
  for (const bool many : {true, false}) {
    SCOPED_TRACE(many);
    set(UDP_GRO, many ? 1 : 0);
    std::vector<rte_mbuf*> copies;
    for (const rte_mbuf* packet : packets) {
      copies.push_back(rte_pktmbuf_copy(packet, testbed::pool(), 0, UINT32_MAX));
      turn_around(*copies.back());
    }
    ASSERT_EQ(queue_->transmit(copies), copies.size());
    received.clear();
    std::size_t reads = 0;
    while (received.size() < text.size()) {
      Bytes some(65536);
      const ssize_t got = recv(socket_->get(), some.data(), some.size(), 0);
      ASSERT_GT(got, 0);
      append(received, ByteView(some).first(static_cast<std::size_t>(got)));
      ++reads;
    }
    EXPECT_EQ(received, text);
    EXPECT_EQ(reads, many ? 1U : 13U);
  }
  rte_pktmbuf_free_bulk(packets.data(), static_cast<unsigned>(packets.size()));
  queue_.reset();
  EXPECT_EQ(rte_mempool_avail_count(testbed::pool()), before) << "every buffer came back";
  EXPECT_EQ(stats_.drops[static_cast<std::size_t>(Verdict::kBadOffload)].get(), 0U);
}

TEST_P(TunOffload, WhatTheKernelRefusesIsLeftBehindTheRest) {
  std::array<rte_mbuf*, 2> packets{};
  for (rte_mbuf*& packet : packets) {
    ASSERT_EQ(send(socket_->get(), "ping", 4, 0), 4);
    packet = receive(1, 1).at(0);
    turn_around(*packet);
  }
  rte_mbuf* const bad = packets[0];
  *rte_pktmbuf_mtod(bad, std::byte*) = std::byte{0};  // of no IP version: the kernel says EINVAL
  EXPECT_EQ(queue_->transmit(packets), 1);
  EXPECT_EQ(packets[1], bad);
  rte_pktmbuf_free(bad);
  std::array<char, 8> answer{};
  EXPECT_EQ(recv(socket_->get(), answer.data(), answer.size(), 0), 4);
}

INSTANTIATE_TEST_SUITE_P(Families, TunOffload, ::testing::Bool());

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
    const InsideOptions options{.name = "taken", .mtu = 1300, .queues = queues, .addresses = {}};
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
  WorkerStats stats;
  const auto queue = (*port)->queue_for_worker(0, 0, stats);
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
