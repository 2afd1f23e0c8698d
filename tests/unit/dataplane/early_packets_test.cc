// SPDX-License-Identifier: Apache-2.0
#include "dataplane/outside/early_packets.h"

#include <vector>

#include <gtest/gtest.h>
#include <rte_mbuf.h>

#include "tests/support/data_plane.h"

namespace magnetar {
namespace {

constexpr LocalIndex kOne{1};
constexpr LocalIndex kTwo{2};

struct Fixture : ::testing::Test {
  rte_mbuf* packet() { return rte_pktmbuf_alloc(pool.get()); }
  std::vector<rte_mbuf*> release() {
    std::array<rte_mbuf*, 64> into;
    const std::size_t count = early.release(into);
    const std::vector<rte_mbuf*> out(into.begin(), into.begin() + static_cast<long>(count));
    rte_pktmbuf_free_bulk(into.data(), static_cast<unsigned>(count));
    return out;
  }

  testing::Pool pool = testing::make_pool(1023);
  Grace grace{1};
  SessionTable sessions{16, grace};
  EarlyPackets early{sessions};
};

TEST_F(Fixture, EachIndexKeepsItsOrderAndWaitsForItself) {
  sessions.await(kOne);
  sessions.await(kTwo);
  std::array<rte_mbuf*, 4> packets{packet(), packet(), packet(), packet()};
  ASSERT_TRUE(early.hold(packets[0], kOne));
  ASSERT_TRUE(early.hold(packets[1], kTwo));
  ASSERT_TRUE(early.hold(packets[2], kOne));
  ASSERT_TRUE(early.hold(packets[3], kTwo));
  EXPECT_TRUE(release().empty());
  EXPECT_TRUE(early.holds(kOne) && early.holds(kTwo));

  sessions.unawait(kOne);
  EXPECT_EQ(release(), (std::vector{packets[0], packets[2]}));
  EXPECT_FALSE(early.holds(kOne));
  EXPECT_TRUE(early.holds(kTwo));
  sessions.unawait(kTwo);
  EXPECT_EQ(release(), (std::vector{packets[1], packets[3]}));
  EXPECT_TRUE(early.empty());
}

TEST_F(Fixture, MoreThanThereIsRoomForComesLaterAndInOrder) {
  sessions.await(kOne);
  std::vector<rte_mbuf*> packets;
  for (std::size_t i = 0; i < 100; ++i) {
    packets.push_back(packet());
    ASSERT_TRUE(early.hold(packets.back(), kOne));
  }
  sessions.unawait(kOne);
  const auto middle = packets.begin() + 64;
  EXPECT_EQ(release(), std::vector(packets.begin(), middle));
  EXPECT_TRUE(early.holds(kOne)) << "what comes now has to wait behind the rest";
  EXPECT_EQ(release(), std::vector(middle, packets.end()));
}

TEST_F(Fixture, AFullOneLeavesThePacketToItsCaller) {
  sessions.await(kOne);
  for (std::size_t i = 0; i < EarlyPackets::kMost; ++i) ASSERT_TRUE(early.hold(packet(), kOne));
  rte_mbuf* const more = packet();
  EXPECT_FALSE(early.hold(more, kOne));
  rte_pktmbuf_free(more);
}

TEST_F(Fixture, WhatStillWaitsIsFreed) {
  sessions.await(kOne);
  {
    EarlyPackets mortal(sessions);
    ASSERT_TRUE(mortal.hold(packet(), kOne));
  }
  EXPECT_EQ(rte_mempool_in_use_count(pool.get()), 0U);
}

}  // namespace
}  // namespace magnetar
