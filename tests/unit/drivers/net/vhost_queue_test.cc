// SPDX-License-Identifier: Apache-2.0
// Packets out of frames and into them, against two lists that pretend to be the device.
#include "drivers/net/vhost_queue.h"

#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/packet/meta.h"
#include "tests/support/eal.h"
#include "tests/support/memory_port.h"
#include "tests/support/offload.h"

namespace magnetar {
namespace {

using testing::MemoryPort;
using testing::packet_of;
using testing::PacketSpec;

constexpr std::size_t kEthernet = 14;
constexpr MacAddr kInterface{std::byte{2}, {}, {}, {}, {}, std::byte{7}};

Bytes framed(ByteView packet, unsigned type = 0) {
  if (type == 0) type = std::to_integer<unsigned>(packet[0]) >> 4U == 6 ? 0x86dd : 0x0800;
  Bytes frame(kEthernet + packet.size());
  store_be_at(&frame[12], static_cast<std::uint16_t>(type));
  std::ranges::copy(packet, frame.begin() + kEthernet);
  return frame;
}

std::vector<Bytes> stream(const PacketSpec& first, std::size_t count) {
  std::vector<Bytes> packets;
  PacketSpec spec = first;
  for (std::size_t i = 0; i < count; ++i) {
    packets.push_back(packet_of(spec));
    spec.sequence += static_cast<std::uint32_t>(spec.payload);
    ++spec.id;
    ++spec.seed;
  }
  return packets;
}

class VhostQueueTest : public ::testing::Test {
 protected:
  void make(bool send_many) {
    auto port = std::make_unique<MemoryPort>(pool_.get());
    port_ = port.get();
    queue_ = make_vhost_queue(std::move(port), pool_.get(),
                              {.interface = kInterface, .send_many = send_many}, stats_);
  }
  rte_mbuf* mbuf_of(ByteView bytes) {
    rte_mbuf* const mbuf = rte_pktmbuf_alloc(pool_.get());
    std::ranges::copy(bytes, data_of(*mbuf));
    set_length(*mbuf, bytes.size());
    return mbuf;
  }
  // As a device gives what is longer than a buffer.
  rte_mbuf* chain_of(ByteView bytes, std::size_t piece = 1500) {
    rte_mbuf* const head = mbuf_of(bytes.first(std::min(piece, bytes.size())));
    for (std::size_t at = piece; at < bytes.size(); at += piece)
      EXPECT_EQ(
          rte_pktmbuf_chain(head, mbuf_of(bytes.subspan(at, std::min(piece, bytes.size() - at)))),
          0);
    return head;
  }
  // What the kernel makes of a stream, in one piece.
  rte_mbuf* many(const std::vector<Bytes>& packets) {
    offload::Coalescer coalescer;
    const auto views = testing::views_of(packets);
    const auto bundles = coalescer.collect(views);
    EXPECT_EQ(bundles.size(), 1U);
    const auto whole = testing::whole_of(coalescer, bundles[0], packets);
    rte_mbuf* const chain = chain_of(framed(whole.packet));
    chain->ol_flags |= RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE;
    chain->tso_segsz = whole.header.gso_size;
    return chain;
  }
  std::vector<Bytes> receive(std::size_t at_once = 64) {
    std::vector<Bytes> out;
    std::array<rte_mbuf*, 64> some;
    while (const std::uint16_t got = queue_->receive(std::span(some).first(at_once))) {
      for (std::uint16_t i = 0; i < got; ++i) {
        EXPECT_EQ(some[i]->nb_segs, 1);
        EXPECT_EQ(some[i]->pkt_len, some[i]->data_len);
        out.push_back(to_vector(view_of(*some[i])));
        rte_pktmbuf_free(some[i]);
      }
    }
    return out;
  }
  std::uint64_t drops(Verdict why) { return stats_.drops[static_cast<std::size_t>(why)].get(); }
  std::vector<rte_mbuf*> mbufs_of(const std::vector<Bytes>& packets) {
    std::vector<rte_mbuf*> out;
    for (const Bytes& packet : packets) out.push_back(mbuf_of(packet));
    return out;
  }
  bool send_all(const std::vector<Bytes>& packets) {
    auto mbufs = mbufs_of(packets);
    return queue_->transmit(mbufs) == packets.size();
  }

  static constexpr unsigned kMbufs = 1023;
  testing::Pool pool_ = (testing::ensure_eal(), testing::make_pool(kMbufs));
  WorkerStats stats_;
  MemoryPort* port_ = nullptr;
  std::unique_ptr<PortQueue> queue_;

  void TearDown() override {
    queue_.reset();
    EXPECT_EQ(rte_mempool_avail_count(pool_.get()), kMbufs) << "every buffer came back";
  }
};

TEST_F(VhostQueueTest, AFrameIsAPacketWithoutItsEthernet) {
  make(true);
  for (const bool v4 : {true, false}) {
    const Bytes packet = packet_of({.v4 = v4});
    port_->arrive(framed(packet));
    EXPECT_EQ(receive(), std::vector<Bytes>({packet}));
  }
}

TEST_F(VhostQueueTest, ManyInOneAreCutHoweverFewAreAskedFor) {
  make(true);
  for (const bool v4 : {true, false}) {
    for (const std::size_t at_once : {1U, 5U, 64U}) {
      SCOPED_TRACE(at_once);
      const auto packets = stream({.v4 = v4, .payload = 1200}, 40);
      const Bytes other = packet_of({.tcp = false});
      port_->arrive(many(packets));
      port_->arrive(framed(other));
      auto expected = packets;
      expected.push_back(other);
      EXPECT_TRUE(receive(at_once) == expected) << "checksums included";
    }
  }
}

TEST_F(VhostQueueTest, AnUnfinishedChecksumIsFinished) {
  make(true);
  for (const bool tcp : {true, false}) {
    for (const bool v4 : {true, false}) {
      const Bytes packet = packet_of({.v4 = v4, .tcp = tcp, .payload = 101});
      Bytes unfinished = packet;
      testing::finish(unfinished, true);
      rte_mbuf* const mbuf = mbuf_of(framed(unfinished));
      mbuf->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
      port_->arrive(mbuf);
      EXPECT_EQ(receive(), std::vector<Bytes>({packet}));
    }
  }
}

TEST_F(VhostQueueTest, WhatIsNoPacketIsDroppedForAReason) {
  make(true);
  struct Row {
    const char* why;
    rte_mbuf* frame;
    Verdict verdict;
  };
  const Bytes good = packet_of({});
  const Bytes icmp = [] {
    Bytes packet = packet_of({});
    packet[9] = std::byte{1};
    return packet;
  }();
  const auto flagged = [](rte_mbuf* mbuf, std::uint64_t flags, std::uint16_t segment = 0) {
    mbuf->ol_flags |= flags;
    mbuf->tso_segsz = segment;
    return mbuf;
  };
  const Row rows[] = {
      {"ARP", mbuf_of(framed(good, 0x0806)), Verdict::kInsideMalformed},
      {"a tagged frame", mbuf_of(framed(good, 0x8100)), Verdict::kInsideMalformed},
      {"less than an Ethernet header", mbuf_of(Bytes(13)), Verdict::kInsideMalformed},
      {"nothing in it", mbuf_of(framed(good, 0x0800)), Verdict::kInsideMalformed},
      {"longer than the MTU", chain_of(framed(packet_of({.payload = 3000}))),
       Verdict::kInsideMalformed},
      {"a checksum of no known protocol",
       flagged(mbuf_of(framed(icmp)), RTE_MBUF_F_RX_L4_CKSUM_NONE), Verdict::kBadOffload},
      {"many of nothing", flagged(mbuf_of(framed(good)), RTE_MBUF_F_RX_LRO, 0),
       Verdict::kBadOffload},
      {"many that are not TCP",
       flagged(chain_of(framed(packet_of({.tcp = false, .payload = 3000}))), RTE_MBUF_F_RX_LRO,
               1000),
       Verdict::kBadOffload},
      {"segments larger than a buffer",
       flagged(chain_of(framed(packet_of({.payload = 9000}))), RTE_MBUF_F_RX_LRO, 8000),
       Verdict::kBadOffload},
      {"longer than any packet", flagged(chain_of(Bytes(framed(good)), 20), RTE_MBUF_F_RX_LRO, 9),
       Verdict::kBadOffload},
  };
  set_length(*rows[3].frame, kEthernet);
  // The same piece 47 times over.
  for (unsigned i = 0; i < 47; ++i)
    ASSERT_EQ(rte_pktmbuf_chain(rows[9].frame, mbuf_of(Bytes(1500))), 0);
  std::uint64_t count = 0;
  for (const Row& row : rows) {
    const std::uint64_t before = drops(row.verdict);
    port_->arrive(row.frame);
    EXPECT_TRUE(receive().empty()) << row.why;
    EXPECT_EQ(drops(row.verdict), before + 1) << row.why;
    EXPECT_EQ(stats_.inside.rx_packets.get(), ++count) << row.why;
  }
}

TEST_F(VhostQueueTest, PacketsLeaveUnderOurEthernet) {
  for (const bool send_many : {false, true}) {
    make(send_many);
    const std::vector<Bytes> packets{packet_of({}), packet_of({.v4 = false, .tcp = false})};
    ASSERT_TRUE(send_all(packets));
    const auto frames = port_->take_sent();
    ASSERT_EQ(frames.size(), packets.size());
    for (std::size_t i = 0; i < frames.size(); ++i) {
      Bytes expected = framed(packets[i]);
      std::ranges::copy(kInterface, expected.begin());
      std::ranges::copy(kVhostSource, expected.begin() + 6);
      EXPECT_EQ(frames[i], expected);
    }
  }
}

TEST_F(VhostQueueTest, WhatBelongsTogetherLeavesAsOne) {
  make(true);
  for (const bool v4 : {true, false}) {
    const auto packets = stream({.v4 = v4, .payload = 1200}, 30);
    ASSERT_TRUE(send_all(packets));
    std::vector<rte_mbuf*> sent = port_->take_sent_mbufs();
    ASSERT_EQ(sent.size(), 1U);
    const rte_mbuf& chain = *sent[0];
    EXPECT_EQ(chain.nb_segs, packets.size());
    EXPECT_EQ(rte_mbuf_check(&chain, 1, nullptr), 0);
    EXPECT_NE(chain.ol_flags & RTE_MBUF_F_TX_TCP_SEG, 0U);
    EXPECT_EQ((chain.ol_flags & RTE_MBUF_F_TX_IPV4) != 0, v4);
    EXPECT_EQ(chain.l2_len, kEthernet);
    EXPECT_EQ(chain.l3_len, v4 ? 20 : 40);
    EXPECT_EQ(chain.l4_len, 20);
    EXPECT_EQ(chain.tso_segsz, 1200);
    Bytes whole(chain.pkt_len);
    ASSERT_EQ(rte_pktmbuf_read(&chain, 0, chain.pkt_len, whole.data()), whole.data());
    const ByteView packet = ByteView(whole).subspan(kEthernet);
    const auto header = offload::describe_unfinished(packet, chain.tso_segsz);
    ASSERT_TRUE(header);
    EXPECT_TRUE(testing::segments_of(*header, packet) == packets);
    rte_pktmbuf_free(sent[0]);
  }
}

TEST_F(VhostQueueTest, WhatDoesNotLeaveIsAsItWas) {
  for (const bool send_many : {false, true}) {
    make(send_many);
    for (const std::size_t room : {0U, 1U, 2U}) {
      SCOPED_TRACE(room);
      auto packets = stream({.payload = 1200}, 10);
      const auto second = stream({.v4 = false, .payload = 900}, 10);
      packets.insert(packets.end(), second.begin(), second.end());
      packets.push_back(packet_of({.tcp = false}));
      auto mbufs = mbufs_of(packets);
      port_->accept_at_most(room);
      const std::size_t taken = queue_->transmit(mbufs);
      EXPECT_EQ(taken, send_many ? room * 10 : room);
      for (std::size_t i = taken; i < mbufs.size(); ++i) {
        EXPECT_EQ(to_vector(view_of(*mbufs[i])), packets[i]) << i;
        EXPECT_EQ(rte_mbuf_check(mbufs[i], 1, nullptr), 0);
        EXPECT_EQ(mbufs[i]->nb_segs, 1);
        EXPECT_EQ(mbufs[i]->ol_flags & RTE_MBUF_F_TX_TCP_SEG, 0U);
        rte_pktmbuf_free(mbufs[i]);
      }
      port_->take_sent();
    }
  }
}

// The congestion signal of the first is not that of all, and TSO cannot say so here.
TEST_F(VhostQueueTest, WhatTsoHasNoWordsForLeavesOneByOne) {
  make(true);
  auto packets = stream({.flags = 0x90, .payload = 1200}, 1);  // ACK, CWR
  const auto rest = stream({.id = 101, .sequence = 6200, .payload = 1200}, 4);
  packets.insert(packets.end(), rest.begin(), rest.end());
  ASSERT_TRUE(send_all(packets));
  const auto frames = port_->take_sent();
  ASSERT_EQ(frames.size(), packets.size());
  for (std::size_t i = 0; i < frames.size(); ++i) {
    EXPECT_EQ(to_vector(ByteView(frames[i]).subspan(kEthernet)), packets[i]);
  }
}

TEST_F(VhostQueueTest, APacketWithoutRoomInFrontStaysBehind) {
  make(true);
  const std::vector<Bytes> packets{packet_of({}), packet_of({.tcp = false})};
  auto mbufs = mbufs_of(packets);
  rte_mbuf* const bad = mbufs[0];
  ASSERT_NE(rte_pktmbuf_prepend(bad, rte_pktmbuf_headroom(bad)), nullptr);
  EXPECT_EQ(queue_->transmit(mbufs), 1);
  EXPECT_EQ(mbufs[1], bad);
  rte_pktmbuf_free(bad);
  EXPECT_EQ(port_->take_sent().size(), 1U);
}

}  // namespace
}  // namespace magnetar
