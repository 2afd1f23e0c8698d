// SPDX-License-Identifier: Apache-2.0
#include "dataplane/mbuf_ring.h"

#include <algorithm>
#include <array>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <rte_mbuf.h>

#include "tests/support/eal.h"

namespace magnetar {
namespace {

using Producers = MbufRing::Producers;

// Packets whose length is their number.
std::vector<rte_mbuf*> numbered(rte_mempool* pool, unsigned count) {
  std::vector<rte_mbuf*> packets(count);
  EXPECT_EQ(rte_pktmbuf_alloc_bulk(pool, packets.data(), count), 0);
  for (unsigned i = 0; i < count; ++i) packets[i]->pkt_len = i;
  return packets;
}

struct MbufRings : ::testing::Test {
  testing::Pool pool = testing::make_pool(1023);
};

TEST_F(MbufRings, KeepOrderAndTakeWhatFits) {
  for (const Producers producers : {Producers::kOne, Producers::kMany}) {
    MbufRing ring("test", 8, producers);
    EXPECT_TRUE(ring.empty());
    auto packets = numbered(pool.get(), 10);
    EXPECT_EQ(ring.enqueue_burst(packets), 7U);  // a ring of 8 holds one less
    EXPECT_EQ(ring.enqueue_burst(std::span(packets).subspan(7)), 0U);
    EXPECT_EQ(ring.count(), 7U);
    EXPECT_FALSE(ring.empty());

    std::array<rte_mbuf*, 4> got{};
    EXPECT_EQ(ring.dequeue_burst(got), 4U);
    for (unsigned i = 0; i < 4; ++i) EXPECT_EQ(got[i], packets[i]);
    EXPECT_EQ(ring.enqueue_burst(std::span(packets).subspan(7)), 3U) << "there is room again";
    EXPECT_EQ(ring.dequeue_burst(got), 4U);
    for (unsigned i = 0; i < 4; ++i) EXPECT_EQ(got[i], packets[4 + i]);
    EXPECT_EQ(ring.dequeue_burst(got), 2U);
    EXPECT_EQ(ring.dequeue_burst(got), 0U);
    EXPECT_TRUE(ring.empty());
    rte_pktmbuf_free_bulk(packets.data(), 10);
  }
}

TEST_F(MbufRings, FreeWhatIsInThemOnceAlsoAfterAMove) {
  auto packets = numbered(pool.get(), 5);
  {
    MbufRing first("test", 8, Producers::kOne);
    MbufRing same_name("test", 8, Producers::kOne);
    EXPECT_EQ(first.enqueue_burst(packets), 5U);
    std::vector<MbufRing> moved;
    moved.push_back(std::move(first));
    EXPECT_EQ(moved.front().count(), 5U);
    EXPECT_TRUE(same_name.empty());
    EXPECT_EQ(rte_mempool_in_use_count(pool.get()), 5U);
  }
  EXPECT_EQ(rte_mempool_in_use_count(pool.get()), 0U);
}

TEST_F(MbufRings, ManyProducersLoseNothingAndKeepTheOrderOfEach) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "TSan does not see how DPDK's rings order what threads do";
#endif
  constexpr unsigned kEach = 400;
  MbufRing ring("test", 64, Producers::kMany);
  std::array<std::vector<rte_mbuf*>, 2> packets{numbered(pool.get(), kEach),
                                                numbered(pool.get(), kEach)};
  for (std::uint16_t producer = 0; producer < 2; ++producer)
    for (rte_mbuf* mbuf : packets[producer]) mbuf->port = producer;
  std::vector<std::thread> threads;
  for (auto& own : packets)
    threads.emplace_back([&ring, rest = std::span(own)]() mutable {
      while (!rest.empty()) {
        const unsigned taken =
            ring.enqueue_burst(rest.first(std::min<std::size_t>(rest.size(), 7)));
        rest = rest.subspan(taken);
        if (taken == 0) std::this_thread::yield();
      }
    });
  std::array<unsigned, 2> next{};
  std::array<rte_mbuf*, 16> got{};
  while (next[0] + next[1] < 2 * kEach) {
    const unsigned count = ring.dequeue_burst(got);
    for (unsigned i = 0; i < count; ++i) EXPECT_EQ(got[i]->pkt_len, next[got[i]->port]++);
    rte_pktmbuf_free_bulk(got.data(), count);
    if (count == 0) std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(ring.empty());
  EXPECT_EQ(rte_mempool_in_use_count(pool.get()), 0U);
}

}  // namespace
}  // namespace magnetar
