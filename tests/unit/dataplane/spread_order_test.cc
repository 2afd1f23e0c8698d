// SPDX-License-Identifier: Apache-2.0
// Flows through the rings between workers: each stays with one worker, in its order, whatever the
// sizes of bursts and whichever rings are full.
#include <deque>
#include <numeric>
#include <optional>
#include <random>

#include <gtest/gtest.h>

#include "dataplane/spread.h"
#include "tests/support/data_plane.h"

namespace magnetar {
namespace {

using testing::MemoryPort;

constexpr std::uint32_t kFlows = 23;
constexpr unsigned kRing = 64;

// Packets of three bytes: the flow, and a number within it.
std::uint32_t flow_of(ByteView packet) { return std::to_integer<std::uint32_t>(packet[0]); }

struct Lanes {
  explicit Lanes(std::size_t workers) {
    auto device = std::make_unique<MemoryPort>(pool.get());
    port = device.get();
    std::vector<MbufRing*> others;
    for (std::size_t i = 1; i < workers; ++i)
      others.push_back(&rings.emplace_back("spread", kRing, MbufRing::Producers::kOne));
    queues.push_back(std::make_unique<SpreadingQueue>(std::move(device), flow_of, std::move(others),
                                                      stats, stats.inside));
    for (MbufRing& ring : rings)
      queues.push_back(
          std::make_unique<FedQueue>(std::make_unique<MemoryPort>(pool.get()), ring, bell));
  }
  [[nodiscard]] std::uint64_t dropped() const {
    return stats.drops[static_cast<std::size_t>(Verdict::kWorkerFull)].get();
  }

  testing::Pool pool = testing::make_pool(4095);
  WorkerStats stats;
  Doorbell bell;
  std::deque<MbufRing> rings;
  MemoryPort* port = nullptr;
  std::vector<std::unique_ptr<PortQueue>> queues;  // of each worker
};

// Gives packets to the port, takes them from the workers' queues, and judges what it gets.
class Observer {
 public:
  explicit Observer(Lanes& lanes) : lanes_(lanes), seen_(lanes.queues.size()) {}

  void arrive(std::uint32_t flow) {
    const std::uint32_t number = ++given_[flow];
    lanes_.port->arrive(std::array{static_cast<std::byte>(flow),
                                   static_cast<std::byte>(number >> 8U),
                                   static_cast<std::byte>(number)});
    ++arrived_;
  }
  // One call of a worker for up to `most` packets. Returns how many it got.
  std::size_t take(std::size_t worker, std::size_t most) {
    std::array<rte_mbuf*, kBurst> packets;
    const std::size_t count = lanes_.queues[worker]->receive({packets.data(), most});
    for (rte_mbuf* mbuf : std::span(packets).first(count)) judge(worker, view_of(*mbuf));
    rte_pktmbuf_free_bulk(packets.data(), static_cast<unsigned>(count));
    return count;
  }
  [[nodiscard]] std::size_t arrived() const { return arrived_; }
  [[nodiscard]] std::size_t delivered() const {
    return std::accumulate(seen_.begin(), seen_.end(), std::size_t{0});
  }
  [[nodiscard]] std::size_t seen_by(std::size_t worker) const { return seen_[worker]; }
  [[nodiscard]] bool has_all_of(std::uint32_t flow) const { return got_[flow] == given_[flow]; }

 private:
  void judge(std::size_t worker, ByteView packet) {
    const std::uint32_t flow = flow_of(packet);
    const std::uint32_t number =
        std::to_integer<std::uint32_t>(packet[1]) << 8U | std::to_integer<std::uint32_t>(packet[2]);
    ++seen_[worker];
    ++got_[flow];
    EXPECT_GT(number, last_[flow]) << "flow " << flow << " was overtaken by itself";
    last_[flow] = number;
    if (!worker_of_[flow]) worker_of_[flow] = worker;
    EXPECT_EQ(*worker_of_[flow], worker) << "flow " << flow << " changed its worker";
  }

  Lanes& lanes_;
  std::vector<std::size_t> seen_;
  std::size_t arrived_ = 0;
  std::array<std::uint32_t, kFlows> given_{};
  std::array<std::uint32_t, kFlows> got_{};
  std::array<std::uint32_t, kFlows> last_{};
  std::array<std::optional<std::size_t>, kFlows> worker_of_;
};

TEST(SpreadOrder, FlowsKeepWorkerAndOrderAtAnyPace) {
  for (const std::size_t workers : {1U, 2U, 3U, 4U}) {
    SCOPED_TRACE(workers);
    Lanes lanes(workers);
    Observer observer(lanes);
    std::minstd_rand random(static_cast<unsigned>(workers));
    const auto below = [&](std::size_t limit) { return random() % limit; };
    for (int step = 0; step < 3000; ++step) {
      // One flow in five packets is the same: a ring fills up, and others do not.
      if (step % 2 == 0)
        for (std::size_t i = below(98); i > 0; --i)
          observer.arrive(static_cast<std::uint32_t>(below(5) == 0 ? 7 : below(kFlows)));
      // A worker may sleep for long while the others go on.
      const std::size_t asleep = static_cast<std::size_t>(step) / 50 % (2 * workers);
      for (std::size_t worker = 0; worker < workers; ++worker)
        if (worker == 0 || worker != asleep) observer.take(worker, 1 + below(kBurst));
    }
    for (std::size_t quiet = 0; quiet < 64;) {  // the poller may find nothing for itself at times
      std::size_t taken = 0;
      for (std::size_t worker = 0; worker < workers; ++worker)
        taken += observer.take(worker, kBurst);
      quiet = taken == 0 ? quiet + 1 : 0;
    }
    EXPECT_EQ(observer.delivered() + lanes.dropped(), observer.arrived());
    EXPECT_EQ(lanes.dropped() > 0, workers > 1) << "the case that rings are full was met";
    for (std::size_t worker = 0; worker < workers; ++worker)
      EXPECT_GT(observer.seen_by(worker), 1000U) << worker;
    EXPECT_EQ(rte_mempool_in_use_count(lanes.pool.get()), 0U);
  }
}

// A worker that takes nothing costs its own flows, and nobody else's.
TEST(SpreadOrder, AFullRingHoldsBackNoOtherWorker) {
  Lanes lanes(3);
  Observer observer(lanes);
  for (int round = 0; round < 40; ++round) {
    for (std::uint32_t i = 0; i < 33; ++i) observer.arrive(i % 11);
    observer.take(0, kBurst);
    observer.take(1, kBurst);  // and worker 2 sleeps
  }
  EXPECT_GT(lanes.dropped(), 0U);
  for (std::uint32_t flow = 0; flow < 11; ++flow)
    EXPECT_TRUE(flow % 3 == 2 || observer.has_all_of(flow)) << flow;
  while (observer.take(2, kBurst) > 0) {
  }
  EXPECT_EQ(observer.seen_by(2), kRing - 1);
}

}  // namespace
}  // namespace magnetar
