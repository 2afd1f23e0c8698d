// SPDX-License-Identifier: Apache-2.0
// Several workers seal for one session: how far behind the newest counter a packet leaves, and that
// what a peer's replay window refuses for it is counted.
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

#include "drivers/crypto/ipsec_mb.h"
#include "tests/support/data_plane.h"
#include "tests/support/inner_packets.h"

namespace magnetar {
namespace {

using testing::DataPlane;
using testing::ipv4;
using testing::key_of;
using testing::MemoryPort;
using testing::PeerSpec;

constexpr std::uint64_t kPeerWindow = 1024;  // of every Nebula but the newest
const IpAddr kAlice = IpAddr::v4(0x0a2a0001);
const IpAddr kBob = IpAddr::v4(0x0a2a0002);

// What all workers have sent, in the order in which it left.
class Wire {
 public:
  void take(std::span<rte_mbuf*> packets) {
    const std::lock_guard guard(mutex_);
    for (rte_mbuf* mbuf : packets)
      counters_.push_back(wire::parse_header(view_of(*mbuf).subspan(42))->counter.raw());
    rte_pktmbuf_free_bulk(packets.data(), static_cast<unsigned>(packets.size()));
  }
  [[nodiscard]] std::size_t size() const { return counters_.size(); }
  // The most by which a packet left behind the newest one before it.
  [[nodiscard]] std::uint64_t furthest_behind() const {
    std::uint64_t most = 0;
    visit([&](std::uint64_t behind) { most = std::max(most, behind); });
    return most;
  }
  [[nodiscard]] std::uint64_t refused_by_peer() const {
    std::uint64_t refused = 0;
    visit([&](std::uint64_t behind) { refused += behind >= kPeerWindow ? 1 : 0; });
    return refused;
  }

 private:
  template <typename Visit>
  void visit(Visit&& with) const {
    std::uint64_t newest = 0;
    for (const std::uint64_t counter : counters_) {
      newest = std::max(newest, counter);
      with(newest - counter);
    }
  }

  std::mutex mutex_;
  std::vector<std::uint64_t> counters_;
};

// A worker's queue of a port that all share.
class SharedPort final : public PortQueue {
 public:
  explicit SharedPort(Wire& wire) : wire_(wire) {}
  std::uint16_t receive(std::span<rte_mbuf*>) override { return 0; }
  std::uint16_t transmit(std::span<rte_mbuf*> packets) override {
    if (const auto meanwhile = std::exchange(meanwhile_, nullptr)) meanwhile();
    wire_.take(packets);
    return static_cast<std::uint16_t>(packets.size());
  }
  // Called once, when the next burst is sealed and has not left.
  void before_sending(std::function<void()> meanwhile) { meanwhile_ = std::move(meanwhile); }

 private:
  Wire& wire_;
  std::function<void()> meanwhile_;
};

// Alice's workers, with one tunnel to Bob.
struct Gateway {
  struct One {
    One(Gateway& gateway, std::uint16_t number)
        : outside(gateway.wire),
          inside(gateway.plane.pool.get()),
          aead(make_ipsec_mb(Cipher::kAes256Gcm)),
          worker({number, outside, inside, gateway.plane.sessions, gateway.plane.routes,
                  gateway.plane.facts, *aead, gateway.plane.rings, stats},
                 gateway.plane.grace, IdlePolicy::kPoll) {}
    SharedPort outside;
    MemoryPort inside;
    std::unique_ptr<Aead> aead;
    WorkerStats stats;
    Worker worker;
  };

  explicit Gateway(unsigned count)
      : plane(Cipher::kAes256Gcm, kAlice, {IpAddr::v4(0xc0000201), 4242}, count) {
    PeerSpec bob;
    bob.send_key = key_of(1);
    bob.receive_key = key_of(2);
    plane.add_peer(bob);
    for (unsigned i = 0; i < count; ++i) {
      workers.push_back(std::make_unique<One>(*this, static_cast<std::uint16_t>(i)));
      if (i > 0) plane.grace.enter(i);  // the plane has entered its own
    }
  }
  ~Gateway() {
    for (unsigned i = 1; i < workers.size(); ++i) plane.grace.leave(i);
  }
  void give(std::size_t worker, std::size_t packets) {
    for (std::size_t i = 0; i < packets; ++i) workers[worker]->inside.arrive(ipv4(kAlice, kBob, 8));
  }
  // Each worker from this one on seals a burst, and none sends before the one behind it has.
  void seal_all_from(std::size_t worker) {
    if (worker + 1 < workers.size())
      workers[worker]->outside.before_sending([this, worker] { seal_all_from(worker + 1); });
    workers[worker]->worker.run_once();
  }
  [[nodiscard]] std::uint64_t late() const {
    std::uint64_t sum = 0;
    for (const auto& one : workers) sum += one->stats.late.get();
    return sum;
  }

  Wire wire;
  DataPlane plane;
  std::vector<std::unique_ptr<One>> workers;
};

TEST(SendOrder, AWorkersBurstIsTheMostThatIsUnderWay) {
  for (const unsigned workers : {1U, 2U, 4U, 8U, 16U}) {
    SCOPED_TRACE(workers);
    Gateway gateway(workers);
    for (std::size_t i = 0; i < workers; ++i) gateway.give(i, kBurst + 20);
    gateway.seal_all_from(0);
    ASSERT_EQ(gateway.wire.size(), workers * kBurst) << "a burst takes no more than its packets";
    EXPECT_LT(gateway.wire.furthest_behind(), workers * kBurst);
    EXPECT_EQ(gateway.wire.refused_by_peer(), 0U);
    EXPECT_EQ(gateway.late(), 0U);
  }
}

TEST(SendOrder, AWorkerHeldBackCountsWhatThePeerWillRefuse) {
  struct Row {
    std::size_t others;  // packets that leave while ten are held back
    std::uint64_t late;
    const char* why;
  };
  constexpr std::array kRows{
      Row{1014, 0, "the first of the ten is 1,023 behind: the last counter of the window"},
      Row{1015, 1, "the first of the ten is 1,024 behind"},
      Row{1020, 6, "each packet is judged by itself"},
      Row{1100, 10, "all of them"},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.why);
    Gateway gateway(2);
    gateway.give(0, 10);
    gateway.give(1, row.others);
    gateway.workers[0]->outside.before_sending([&] {
      while (gateway.workers[1]->worker.run_once() > 0) {
      }
    });
    gateway.workers[0]->worker.run_once();
    ASSERT_EQ(gateway.wire.size(), 10 + row.others);
    EXPECT_EQ(gateway.wire.refused_by_peer(), row.late);
    EXPECT_EQ(gateway.workers[0]->stats.late.get(), row.late);
    EXPECT_EQ(gateway.workers[1]->stats.late.get(), 0U);
  }
}

// However the machine deals out its cores: more may be counted than the peer refuses, never less.
TEST(SendOrder, WhatThePeerRefusesIsCountedUnderThreads) {
  constexpr unsigned kWorkers = 3;
  constexpr std::size_t kEach = 1200;
  Gateway gateway(kWorkers);
  for (std::size_t i = 0; i < kWorkers; ++i) gateway.give(i, kEach);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kWorkers; ++i)
    threads.emplace_back([&worker = gateway.workers[i]->worker] {
      while (worker.run_once() > 0) {
      }
    });
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(gateway.wire.size(), kWorkers * kEach);
  EXPECT_LE(gateway.wire.refused_by_peer(), gateway.late());
}

}  // namespace
}  // namespace magnetar
