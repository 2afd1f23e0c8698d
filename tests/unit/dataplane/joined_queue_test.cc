// SPDX-License-Identifier: Apache-2.0
#include "dataplane/joined_queue.h"

#include <gtest/gtest.h>

#include "tests/support/data_plane.h"

namespace magnetar {
namespace {

using testing::MemoryPort;

constexpr std::byte kFromDevice{1};
constexpr std::byte kBrought{2};

struct JoinedQueueTest : ::testing::Test {
  JoinedQueueTest() {
    auto device = std::make_unique<MemoryPort>(pool.get());
    port = device.get();
    queue = std::make_unique<JoinedQueue>(std::move(device), ring);
  }
  void bring(std::size_t count) {
    MemoryPort maker(pool.get());
    for (std::size_t i = 0; i < count; ++i) {
      maker.arrive(std::array{kBrought});
      rte_mbuf* mbuf = nullptr;
      ASSERT_EQ(maker.receive({&mbuf, 1}), 1);
      ASSERT_EQ(ring.enqueue_burst({&mbuf, 1}), 1U);
    }
  }
  // How many of a burst came from the device, and how many were brought.
  std::pair<std::size_t, std::size_t> burst() {
    std::array<rte_mbuf*, kBurst> packets;
    const std::uint16_t count = queue->receive(packets);
    std::pair<std::size_t, std::size_t> seen{};
    for (std::uint16_t i = 0; i < count; ++i)
      ++(view_of(*packets[i])[0] == kFromDevice ? seen.first : seen.second);
    rte_pktmbuf_free_bulk(packets.data(), count);
    return seen;
  }

  testing::Pool pool = testing::make_pool(1023);
  MbufRing ring{"joined", 256, MbufRing::Producers::kOne};
  MemoryPort* port = nullptr;
  std::unique_ptr<JoinedQueue> queue;
};

TEST_F(JoinedQueueTest, GivesWhatTheDeviceHasAndWhatIsBrought) {
  EXPECT_EQ(burst(), std::pair(std::size_t{0}, std::size_t{0}));
  port->arrive(std::array{kFromDevice});
  EXPECT_EQ(burst(), std::pair(std::size_t{1}, std::size_t{0}));
  bring(3);
  EXPECT_EQ(burst(), std::pair(std::size_t{0}, std::size_t{3}));
  bring(2);
  port->arrive(std::array{kFromDevice});
  EXPECT_EQ(burst(), std::pair(std::size_t{1}, std::size_t{2}));
}

TEST_F(JoinedQueueTest, AFloodOfWhatIsBroughtLeavesTheDeviceItsRoom) {
  bring(200);
  for (std::size_t i = 0; i < kBurst; ++i) port->arrive(std::array{kFromDevice});
  const auto [device, brought] = burst();
  EXPECT_EQ(device + brought, kBurst);
  EXPECT_GE(device, kBurst / 2);
  EXPECT_GT(brought, 0U);
}

}  // namespace
}  // namespace magnetar
