// SPDX-License-Identifier: Apache-2.0
#include "dataplane/spread.h"

#include <map>

#include <gtest/gtest.h>

#include "tests/support/data_plane.h"

namespace magnetar {
namespace {

using testing::MemoryPort;

// Packets of two bytes: the flow, and a number within it.
std::uint32_t first_byte(ByteView packet) { return std::to_integer<std::uint32_t>(packet[0]); }

struct Fixture : ::testing::Test {
  Fixture() {
    auto device = std::make_unique<MemoryPort>(pool.get());
    port = device.get();
    std::vector<MbufRing*> others;
    for (MbufRing& ring : rings) others.push_back(&ring);
    polling = std::make_unique<SpreadingQueue>(std::move(device), first_byte, std::move(others),
                                               stats, stats.outside);
    for (MbufRing& ring : rings)
      fed.push_back(
          std::make_unique<FedQueue>(std::make_unique<MemoryPort>(pool.get()), ring, bell));
  }
  static std::vector<Bytes> drain(PortQueue& queue) {
    std::vector<Bytes> out;
    std::array<rte_mbuf*, kBurst> packets;
    while (const std::uint16_t count = queue.receive(packets)) {
      for (std::uint16_t i = 0; i < count; ++i) out.push_back(to_vector(view_of(*packets[i])));
      rte_pktmbuf_free_bulk(packets.data(), count);
    }
    return out;
  }

  testing::Pool pool = testing::make_pool(1023);
  WorkerStats stats;
  Doorbell bell;
  std::array<MbufRing, 2> rings{MbufRing("spread", 64, MbufRing::Producers::kOne),
                                MbufRing("spread", 64, MbufRing::Producers::kOne)};
  MemoryPort* port = nullptr;
  std::unique_ptr<SpreadingQueue> polling;
  std::vector<std::unique_ptr<FedQueue>> fed;
};

TEST_F(Fixture, EachFlowGoesToOneWorkerInItsOrder) {
  constexpr unsigned kFlows = 9;
  for (unsigned i = 0; i < 90; ++i)
    port->arrive(std::array{static_cast<std::byte>(i % kFlows), static_cast<std::byte>(i)});
  std::size_t seen = 0;
  std::map<std::byte, std::byte> last;
  const std::array<PortQueue*, 3> workers{polling.get(), fed[0].get(), fed[1].get()};
  for (std::size_t worker = 0; worker < workers.size(); ++worker) {
    const auto got = drain(*workers[worker]);
    EXPECT_EQ(got.size(), 30U) << worker;
    for (const Bytes& packet : got) {
      EXPECT_EQ(first_byte(packet) % 3, worker);
      const auto before = last.find(packet[0]);
      if (before != last.end()) {
        EXPECT_LT(before->second, packet[1]);
      }
      last[packet[0]] = packet[1];
      ++seen;
    }
  }
  EXPECT_EQ(seen, 90U);
}

TEST_F(Fixture, WhatAFullRingRefusesIsReceivedAndDropped) {
  for (unsigned i = 0; i < 100; ++i) port->arrive(std::array{std::byte{1}, std::byte{0}});
  EXPECT_TRUE(drain(*polling).empty());
  EXPECT_TRUE(drain(*polling).empty());
  EXPECT_EQ(drain(*fed[0]).size(), 63U);  // a ring of 64 holds one less
  EXPECT_EQ(stats.drops[static_cast<std::size_t>(Verdict::kWorkerFull)].get(), 37U);
  EXPECT_EQ(stats.outside.rx_packets.get(), 37U);
  EXPECT_EQ(stats.outside.rx_bytes.get(), 74U);
  EXPECT_EQ(rte_mempool_in_use_count(pool.get()), 0U);
}

TEST_F(Fixture, AWorkerWithoutAQueueStillTransmits) {
  port->arrive(std::array{std::byte{2}, std::byte{5}});
  EXPECT_TRUE(drain(*polling).empty());
  std::array<rte_mbuf*, 1> packet{};
  ASSERT_EQ(fed[1]->receive(packet), 1U);
  EXPECT_EQ(polling->transmit(packet), 1U);
  EXPECT_EQ(port->take_sent().size(), 1U);
}

}  // namespace
}  // namespace magnetar
