// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/routed_queue.h"

#include <map>

#include <gtest/gtest.h>

#include "dataplane/offload/checksum.h"
#include "tests/support/eal.h"
#include "tests/support/memory_port.h"

namespace magnetar {
namespace {

using testing::MemoryPort;

constexpr MacAddr kOurs{std::byte{2}, {}, {}, {}, {}, std::byte{1}};
constexpr MacAddr kRouter{std::byte{2}, {}, {}, {}, {}, std::byte{2}};

IpAddr ip(std::string_view text) { return IpAddr::parse(text).value(); }
Prefix prefix(std::string_view text) { return Prefix::parse(text).value(); }

// A UDP packet of `size` bytes in all, its header sum right.
Bytes packet(std::string_view from, std::string_view to, std::uint8_t ttl = 64,
             std::uint16_t size = 100, bool may_split = false) {
  Bytes out(size);
  const bool v4 = ip(from).is_v4();
  const IpAddr sender = ip(from);
  const ByteView source = sender.network_bytes();
  if (v4) {
    out[0] = std::byte{0x45};
    store_be_at(&out[2], size);
    store_be_at(&out[6], std::uint16_t{may_split ? std::uint16_t{0} : std::uint16_t{0x4000}});
    out[8] = std::byte{ttl};
    out[9] = std::byte{17};
    std::ranges::copy(source, out.begin() + 12);
    std::ranges::copy(IpAddr(ip(to)).network_bytes(), out.begin() + 16);
    offload::store_raw(&out[10], static_cast<std::uint16_t>(
                                     ~offload::fold(offload::sum_of(ByteView(out).first(20)))));
  } else {
    out[0] = std::byte{0x60};
    store_be_at(&out[4], static_cast<std::uint16_t>(size - 40));
    out[6] = std::byte{17};
    out[7] = std::byte{ttl};
    std::ranges::copy(source, out.begin() + 8);
    std::ranges::copy(IpAddr(ip(to)).network_bytes(), out.begin() + 24);
  }
  return out;
}

Bytes frame(const Bytes& content, const MacAddr& to = kOurs, std::uint16_t type = 0) {
  if (type == 0) type = content[0] == std::byte{0x45} ? 0x0800 : 0x86dd;
  Bytes out(14 + content.size());
  std::ranges::copy(to, out.begin());
  std::ranges::copy(kRouter, out.begin() + 6);
  store_be_at(&out[12], type);
  std::ranges::copy(content, out.begin() + 14);
  return out;
}

class RoutedQueueTest : public ::testing::Test {
 protected:
  RoutedQueueTest() {
    facts_.add_overlay(prefix("10.42.0.1/24"));
    facts_.add_overlay(prefix("fd42::1/64"));
    facts_.port_v4 = ip("10.50.0.1");
    facts_.port_v6 = ip("fd50::1");
    fib_.set_route(prefix("10.50.0.0/24"), {RouteHop::Kind::kOnLink, {}});
    fib_.set_route(prefix("10.50.0.1/32"), {});
    fib_.set_route(prefix("10.60.0.0/24"), {RouteHop::Kind::kGateway, ip("10.50.0.2")});
    fib_.set_route(prefix("fd60::/64"), {RouteHop::Kind::kGateway, ip("fd50::2")});
    fib_.set_neighbour(ip("10.50.0.2"), kRouter);
    fib_.set_neighbour(ip("fd50::2"), kRouter);
    make_queue(true);
  }
  void make_queue(bool twin) {
    auto port = std::make_unique<MemoryPort>(pool_.get());
    port_ = port.get();
    queue_ = std::make_unique<RoutedQueue>(std::move(port), RoutedParts{.fib = fib_,
                                                                        .facts = facts_now_,
                                                                        .rings = rings_,
                                                                        .stats = stats_,
                                                                        .mac = kOurs,
                                                                        .mtu = 1280,
                                                                        .twin = twin,
                                                                        .frames = &frames_,
                                                                        .packets = &packets_});
  }
  // What the pipeline gets.
  std::vector<Bytes> receive() {
    std::array<rte_mbuf*, kBurst> into;
    std::vector<Bytes> out;
    const std::uint16_t count = queue_->receive(into);
    stats_.inside.rx_packets.add(count);
    for (std::uint16_t i = 0; i < count; ++i) {
      out.push_back(to_vector(view_of(*into[i])));
      rte_pktmbuf_free(into[i]);
    }
    return out;
  }
  rte_mbuf* mbuf_of(const Bytes& bytes) {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_.get());
    std::ranges::copy(bytes, data_of(*mbuf));
    set_data(*mbuf, data_of(*mbuf), bytes.size());
    return mbuf;
  }
  // Packets out of tunnels, as the pipeline gives them; what left by the port.
  std::vector<Bytes> send(const std::vector<Bytes>& packets) {
    std::vector<rte_mbuf*> mbufs;
    for (const Bytes& one : packets) mbufs.push_back(mbuf_of(one));
    from_tunnels_ += mbufs.size();
    const std::uint16_t ready = queue_->prepare(mbufs);
    stats_.inside.tx_packets.add(queue_->transmit(std::span(mbufs).first(ready)));
    return port_->take_sent();
  }
  std::map<PuntKind, std::vector<Bytes>> punted() {
    std::array<rte_mbuf*, kBurst> mbufs;
    std::map<PuntKind, std::vector<Bytes>> out;
    const unsigned count = rings_.take_punted(mbufs);
    for (unsigned i = 0; i < count; ++i) {
      out[punt_meta(*mbufs[i]).kind].push_back(to_vector(view_of(*mbufs[i])));
      rte_pktmbuf_free(mbufs[i]);
    }
    return out;
  }
  std::uint64_t drops(Verdict why) { return stats_.drops[static_cast<std::size_t>(why)].get(); }
  // Received on either side and injected is sent, dropped or punted; what the pipeline got counts
  // as gone into tunnels.
  void TearDown() override {
    std::uint64_t left = stats_.inside.tx_packets.get() + into_tunnels_;
    for (const OwnedCounter& drop : stats_.drops) left += drop.get();
    for (const OwnedCounter& punt : stats_.punted) left += punt.get();
    EXPECT_EQ(stats_.inside.rx_packets.get() + stats_.injected.get() + from_tunnels_, left);
  }
  std::vector<Bytes> receive_all() {
    auto out = receive();
    into_tunnels_ += out.size();
    return out;
  }

  testing::Pool pool_ = (testing::ensure_eal(), testing::make_pool(1023));
  Grace grace_{1};
  Fib fib_{grace_};
  Facts facts_;
  std::atomic<const Facts*> facts_now_{&facts_};
  ControlRings rings_{1, 64, 64};
  WorkerStats stats_;
  MbufRing frames_{"frames", 64, MbufRing::Producers::kOne};
  MbufRing packets_{"packets", 64, MbufRing::Producers::kOne};
  MemoryPort* port_ = nullptr;
  std::unique_ptr<RoutedQueue> queue_;
  std::uint64_t from_tunnels_ = 0;
  std::uint64_t into_tunnels_ = 0;
};

TEST_F(RoutedQueueTest, WhatIsForTheOverlayComesInOneHopOlder) {
  for (const auto& [from, to] : {std::pair{"10.60.0.7", "10.42.0.2"}, {"fd60::7", "fd42::2"}}) {
    Bytes padded = frame(packet(from, to, 64, 50));
    padded.resize(64);  // as Ethernet does
    port_->arrive(padded);
    const auto got = receive_all();
    ASSERT_EQ(got.size(), 1U) << from;
    EXPECT_EQ(got[0], packet(from, to, 63, 50)) << "the padding is gone, the header sum right";
  }
}

struct Row {
  const char* why;
  Bytes bytes;
};

TEST_F(RoutedQueueTest, EverythingElseIsTheKernels) {
  constexpr MacAddr kBroadcast{std::byte{255}, std::byte{255}, std::byte{255},
                               std::byte{255}, std::byte{255}, std::byte{255}};
  const Bytes good = packet("10.60.0.7", "10.42.0.2");
  Bytes cut = frame(good);
  cut.resize(60);
  const Row rows[] = {
      {"ARP", frame(Bytes(28), kBroadcast, 0x0806)},
      {"a tagged frame", frame(good, kOurs, 0x8100)},
      {"IPv6 that says it is IPv4", frame(packet("fd60::7", "fd42::2"), kOurs, 0x0800)},
      {"to the port itself", frame(packet("10.60.0.7", "10.50.0.1"))},
      {"to our own overlay address", frame(packet("10.60.0.7", "10.42.0.1"))},
      {"to the overlay's broadcast", frame(packet("10.60.0.7", "10.42.0.255"))},
      {"to somewhere else", frame(packet("10.60.0.7", "10.99.0.1"))},
      {"to another station", frame(good, kRouter)},
      {"to all stations", frame(good, kBroadcast)},
      {"cut short", cut},
      {"shorter than any IP packet", frame(Bytes(10), kOurs, 0x0800)},
      {"IPv6 multicast", frame(packet("fe80::1", "ff02::1"))},
  };
  for (const Row& row : rows) {
    port_->arrive(row.bytes);
    EXPECT_TRUE(receive_all().empty()) << row.why;
    const auto kernel = punted()[PuntKind::kInsideFrame];
    ASSERT_EQ(kernel.size(), 1U) << row.why;
    EXPECT_EQ(kernel[0], row.bytes) << row.why << ": untouched";
  }
  make_queue(false);
  port_->arrive(rows[0].bytes);
  EXPECT_TRUE(receive_all().empty());
  EXPECT_EQ(drops(Verdict::kNotOurs), 1U) << "without a twin the kernel has its own";
}

TEST_F(RoutedQueueTest, AWrongHeaderSumIsDropped) {
  Bytes wrong = frame(packet("10.60.0.7", "10.42.0.2"));
  wrong[14 + 10] ^= std::byte{1};
  port_->arrive(wrong);
  EXPECT_TRUE(receive_all().empty());
  EXPECT_EQ(drops(Verdict::kInsideMalformed), 1U);
}

TEST_F(RoutedQueueTest, WhatComesOutOfTunnelsGoesToItsNextHop) {
  for (const char* to : {"10.60.0.7", "fd60::7", "10.50.0.2"}) {
    const char* from = ip(to).is_v4() ? "10.42.0.2" : "fd42::2";
    const auto sent = send({packet(from, to, 9)});
    ASSERT_EQ(sent.size(), 1U) << to;
    Bytes expected = frame(packet(from, to, 8), kRouter);
    std::ranges::copy(kOurs, expected.begin() + 6);
    EXPECT_EQ(sent[0], expected);
  }
}

TEST_F(RoutedQueueTest, TheKernelGetsWhatOnlyItCanSettle) {
  const Bytes to_us = packet("10.42.0.2", "10.50.0.1");
  const Bytes nowhere = packet("10.42.0.2", "192.0.2.1");
  const Bytes unknown = packet("10.42.0.2", "10.50.0.9", 9);
  const auto sent = send({to_us, packet("10.42.0.2", "10.60.0.7"), nowhere, unknown});
  EXPECT_EQ(sent.size(), 1U) << "those before and behind do not hold it up";
  auto kernel = punted();
  EXPECT_EQ(kernel[PuntKind::kInsideLocal], (std::vector<Bytes>{to_us, nowhere})) << "as they came";
  ASSERT_EQ(kernel[PuntKind::kInsideUnresolved].size(), 1U);
  EXPECT_EQ(kernel[PuntKind::kInsideUnresolved][0], packet("10.42.0.2", "10.50.0.9", 8))
      << "it leaves by the port, so it has made its hop";
}

// As the pipeline's errors about what is too big are.
TEST_F(RoutedQueueTest, PacketsOfOurOwnLeaveAsTheyAre) {
  const Bytes local = packet("10.42.0.2", "10.50.0.1");
  const Bytes unknown = packet("10.50.0.1", "10.50.0.9");
  const Bytes good = packet("10.50.0.1", "10.60.0.7", 1);
  std::vector<rte_mbuf*> own{mbuf_of(local), mbuf_of(unknown), mbuf_of(good)};
  from_tunnels_ += own.size();
  ASSERT_EQ(queue_->prepare_own(own), 1U);
  stats_.inside.tx_packets.add(queue_->transmit(std::span(own).first(1)));
  const auto sent = port_->take_sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(Bytes(sent[0].begin() + 14, sent[0].end()), good) << "its TTL is its own";
  EXPECT_TRUE(std::equal(kRouter.begin(), kRouter.end(), sent[0].begin()));
  auto kernel = punted();
  EXPECT_EQ(kernel[PuntKind::kInsideLocal], std::vector<Bytes>{local});
  EXPECT_EQ(kernel[PuntKind::kInsideUnresolved], std::vector<Bytes>{unknown});
}

TEST_F(RoutedQueueTest, ATtlThatRunsOutIsToldToTheSenderInside) {
  for (const auto& [from, to] : {std::pair{"10.60.0.7", "10.42.0.2"}, {"fd60::7", "fd42::2"}}) {
    port_->arrive(frame(packet(from, to, 1)));
    EXPECT_TRUE(receive_all().empty());
    const auto sent = port_->take_sent();
    ASSERT_EQ(sent.size(), 1U) << from;
    const Bytes error(sent[0].begin() + 14, sent[0].end());
    wire::InnerView view;
    ASSERT_TRUE(wire::parse_inner(error, view));
    EXPECT_EQ(view.source_addr(), view.v4 ? facts_.port_v4 : facts_.port_v6);
    EXPECT_EQ(view.destination_addr(), ip(from));
    EXPECT_EQ(error[view.v4 ? 20 : 40], std::byte{view.v4 ? std::uint8_t{11} : std::uint8_t{3}});
    EXPECT_TRUE(std::equal(kRouter.begin(), kRouter.end(), sent[0].begin()));
  }
  EXPECT_EQ(drops(Verdict::kTtlExceeded), 2U);
}

TEST_F(RoutedQueueTest, ErrorsAboutTunnelPacketsComeInForTheTunnel) {
  struct Case {
    const char* why;
    Bytes packet;
    unsigned type, code;  // of ICMP
    Verdict verdict;
  };
  const Case cases[] = {
      {"hops, IPv4", packet("10.42.0.2", "10.60.0.7", 1), 11, 0, Verdict::kTtlExceeded},
      {"hops, IPv6", packet("fd42::2", "fd60::7", 0), 3, 0, Verdict::kTtlExceeded},
      {"size, IPv4", packet("10.42.0.2", "10.60.0.7", 64, 1281), 3, 4, Verdict::kInsideTooBig},
      {"size, IPv6", packet("fd42::2", "fd60::7", 64, 1281), 2, 0, Verdict::kInsideTooBig},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    const std::uint64_t before = drops(c.verdict);
    EXPECT_TRUE(send({c.packet}).empty());
    EXPECT_EQ(drops(c.verdict), before + 1);
    const auto got = receive_all();
    ASSERT_EQ(got.size(), 1U);
    wire::InnerView view;
    ASSERT_TRUE(wire::parse_inner(got[0], view));
    EXPECT_EQ(view.source_addr(), view.v4 ? ip("10.42.0.1") : ip("fd42::1"));
    EXPECT_EQ(view.destination_addr(), view.v4 ? ip("10.42.0.2") : ip("fd42::2"));
    const std::size_t icmp = view.v4 ? 20 : 40;
    EXPECT_EQ(got[0][icmp], static_cast<std::byte>(c.type));
    EXPECT_EQ(got[0][icmp + 1], static_cast<std::byte>(c.code));
    if (c.verdict == Verdict::kInsideTooBig) {
      EXPECT_EQ(load_be_at<std::uint16_t>(&got[0][icmp + 6]), 1280);
    }
  }
  EXPECT_TRUE(send({packet("10.42.0.2", "10.60.0.7", 64, 1280)}).size() == 1) << "just fits";
}

TEST_F(RoutedQueueTest, WhatMayBeFragmentedIs) {
  const Bytes big = packet("10.42.0.2", "10.60.0.7", 9, 2000, true);
  const auto sent = send({big, packet("10.42.0.2", "10.60.0.7")});
  ASSERT_EQ(sent.size(), 3U);
  Bytes payload;
  for (std::size_t i = 0; i < 2; ++i) {
    const Bytes part(sent[i].begin() + 14, sent[i].end());
    EXPECT_LE(part.size(), 1280U);
    wire::InnerView view;
    ASSERT_TRUE(wire::parse_inner(part, view));
    EXPECT_EQ(offload::fold(offload::sum_of(ByteView(part).first(20))), 0xffff);
    EXPECT_EQ(part[8], std::byte{8}) << "one hop older";
    const std::uint16_t place = load_be_at<std::uint16_t>(&part[6]);
    EXPECT_EQ((place & 0x1fffU) * 8U, payload.size());
    EXPECT_EQ((place & 0x2000U) != 0, i == 0) << "more fragments";
    payload.insert(payload.end(), part.begin() + 20, part.end());
  }
  EXPECT_EQ(payload, Bytes(big.begin() + 20, big.end()));
  EXPECT_EQ(send({packet("10.42.0.2", "10.50.0.9", 9, 2000, true)}).size(), 0U);
  EXPECT_EQ(punted()[PuntKind::kInsideUnresolved].size(), 2U) << "the kernel finds who takes them";
}

TEST_F(RoutedQueueTest, ErrorsAreBounded) {
  for (int i = 0; i < 200; ++i) {
    port_->arrive(frame(packet("10.60.0.7", "10.42.0.2", 1)));
    send({packet("10.42.0.2", "10.60.0.7", 1)});
    receive_all();
  }
  EXPECT_EQ(drops(Verdict::kTtlExceeded), 400U);
  EXPECT_LE(stats_.injected.get() + into_tunnels_, 200U) << "50 at once, then one a millisecond";
}

TEST_F(RoutedQueueTest, WhatTheKernelSendsGoesOutAndIn) {
  const Bytes arp = frame(Bytes(28), kRouter, 0x0806);
  const Bytes own = packet("10.42.0.1", "10.42.0.2");
  rte_mbuf* out = mbuf_of(arp);
  rte_mbuf* in = mbuf_of(own);
  ASSERT_EQ(frames_.enqueue_burst({&out, 1}), 1U);
  ASSERT_EQ(packets_.enqueue_burst({&in, 1}), 1U);
  EXPECT_EQ(receive_all(), std::vector<Bytes>{own}) << "the kernel has counted its hops";
  EXPECT_EQ(port_->take_sent(), std::vector<Bytes>{arp});
}

TEST_F(RoutedQueueTest, AFullRingAndAFullPortAreCounted) {
  for (int i = 0; i < 70; ++i) port_->arrive(frame(packet("10.60.0.7", "10.99.0.1")));
  receive_all();
  receive_all();
  EXPECT_GT(drops(Verdict::kPuntRingFull), 0U);
  port_->accept_at_most(0);
  port_->arrive(frame(packet("10.60.0.7", "10.42.0.2", 1)));
  receive_all();
  EXPECT_EQ(drops(Verdict::kInsideFull), 1U) << "an error that the port does not take";
  punted();
}

}  // namespace
}  // namespace magnetar
