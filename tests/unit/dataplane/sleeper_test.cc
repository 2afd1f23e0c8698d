// SPDX-License-Identifier: Apache-2.0
// A worker that sleeps: whatever is for it wakes it, and nobody waits for it meanwhile.
#include "dataplane/sleeper.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "drivers/crypto/ipsec_mb.h"
#include "tests/support/data_plane.h"

namespace magnetar {
namespace {

using std::chrono::milliseconds;
using testing::DataPlane;

constexpr IpAddr kOverlay = IpAddr::v4(0x0a2a0001);

// A device that can be waited for. Its packets are no packets at all: they are dropped.
class EventPort final : public PortQueue {
 public:
  explicit EventPort(rte_mempool* pool) : pool_(pool) {}
  ~EventPort() override { close(fd_); }
  void arrive() const {
    const std::uint64_t one = 1;
    EXPECT_EQ(write(fd_, &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
  }

  // One more, of which the descriptor does not tell.
  void arrive_unheard() { unheard_.fetch_add(1); }

  std::uint16_t receive(std::span<rte_mbuf*> into) override {
    std::uint64_t count = 0;
    if (read(fd_, &count, sizeof(count)) < 0) count = unheard_.exchange(0);
    if (count == 0) return 0;
    EXPECT_LE(count, into.size());
    EXPECT_EQ(rte_pktmbuf_alloc_bulk(pool_, into.data(), static_cast<unsigned>(count)), 0);
    return static_cast<std::uint16_t>(count);
  }
  std::uint16_t transmit(std::span<rte_mbuf*> packets) override {
    rte_pktmbuf_free_bulk(packets.data(), static_cast<unsigned>(packets.size()));
    return static_cast<std::uint16_t>(packets.size());
  }
  [[nodiscard]] std::optional<int> readable_fd() const override { return fd_; }
  int arm() override {
    armed.store(true);
    return limit_ms.load();
  }
  void disarm() override {
    armed.store(false);
    disarms.fetch_add(1);
  }

  std::atomic<bool> armed{false};
  std::atomic<int> disarms{0};
  std::atomic<int> limit_ms{kNoLimit};

 private:
  std::atomic<std::uint64_t> unheard_{0};
  rte_mempool* pool_;
  int fd_ = eventfd(0, EFD_NONBLOCK);
};

bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < end) {
    if (condition()) return true;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return false;
}

struct AWorker {
  DataPlane plane{Cipher::kAes256Gcm, kOverlay, {IpAddr::v4(0xc0000201), 4242}, 2};
  EventPort outside{plane.pool.get()};
  EventPort inside{plane.pool.get()};
  std::unique_ptr<Aead> aead = make_ipsec_mb(Cipher::kAes256Gcm);
  WorkerStats stats;
  Worker worker{
      {1, outside, inside, plane.sessions, plane.routes, plane.facts, *aead, plane.rings, stats},
      plane.grace,
      IdlePolicy::kAdaptive};
};

struct SleepingWorker : ::testing::Test, AWorker {
  SleepingWorker() : thread([this] { worker.run(); }) { EXPECT_TRUE(eventually(asleep)); }
  ~SleepingWorker() override {
    worker.stop();
    thread.join();
  }

  // Each round that it makes counts cycles.
  std::function<bool()> asleep = [this] {
    const std::uint64_t before = stats.total_cycles.get();
    std::this_thread::sleep_for(milliseconds(5));
    return before > 0 && stats.total_cycles.get() == before;
  };
  std::thread thread;
};

TEST_F(SleepingWorker, WakesForPacketsOnEitherPort) {
  for (std::uint64_t i = 1; i <= 50; ++i) {
    outside.arrive();
    EXPECT_TRUE(eventually([&] { return stats.outside.rx_packets.get() == i; }));
    inside.arrive();
    EXPECT_TRUE(eventually([&] { return stats.inside.rx_packets.get() == i; }));
  }
  EXPECT_TRUE(eventually(asleep));
}

TEST_F(SleepingWorker, ArmsItsPortsAndDisarmsThemWhenItWakes) {
  EXPECT_TRUE(outside.armed.load());
  EXPECT_TRUE(inside.armed.load());
  const int before = inside.disarms.load();
  outside.arrive();
  EXPECT_TRUE(eventually([&] { return inside.disarms.load() > before; }));
  EXPECT_TRUE(eventually(asleep));
  EXPECT_TRUE(outside.armed.load());
  EXPECT_TRUE(inside.armed.load());
}

// 0: must not be waited for now. Otherwise: not for longer than that.
TEST_F(SleepingWorker, FindsAPacketOfWhichNothingTold) {
  std::uint64_t seen = 0;
  for (const int limit : {0, 3}) {
    SCOPED_TRACE(limit);
    outside.limit_ms.store(limit);
    outside.arrive();  // so that it asks for the limit
    ++seen;
    EXPECT_TRUE(eventually([&] { return stats.outside.rx_packets.get() == seen; }));
    const int rests = outside.disarms.load();
    EXPECT_TRUE(eventually([&] { return outside.disarms.load() > rests; }));
    outside.arrive_unheard();
    ++seen;
    EXPECT_TRUE(eventually([&] { return stats.outside.rx_packets.get() == seen; }));
  }
}

TEST_F(SleepingWorker, WakesForFramesOfTheControlThread) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "TSan does not see how DPDK's rings order what threads do";
#endif
  for (std::uint64_t i = 1; i <= 50; ++i) {
    rte_mbuf* const frame = rte_pktmbuf_alloc(plane.pool.get());
    ASSERT_TRUE(plane.rings.send_frame(1, frame));
    EXPECT_TRUE(eventually([&] { return stats.outside.tx_packets.get() == i; }));
  }
  EXPECT_TRUE(eventually(asleep));
}

TEST_F(SleepingWorker, IsNotWaitedFor) {
  const Grace::Token token = plane.grace.start();
  plane.grace.quiescent(0);
  EXPECT_TRUE(plane.grace.passed(token));
  EXPECT_TRUE(asleep());
}

// Whoever started it under another one, real time for example, knew why.
TEST(Sleeper, AWorkerKeepsTheSchedulingPolicyItHas) {
  AWorker of;
  of.worker.stop();
  std::thread([&] {
    const sched_param none{};
    ASSERT_EQ(sched_setscheduler(0, SCHED_BATCH, &none), 0);
    of.worker.run();
    EXPECT_EQ(sched_getscheduler(0), SCHED_BATCH);
  }).join();
}

TEST(Sleeper, APortThatCannotBeWaitedForIsPolled) {
  testing::Pool pool = testing::make_pool(63);
  EventPort can(pool.get());
  testing::MemoryPort cannot(pool.get());
  const Doorbell bell;
  const std::array<PortQueue*, 2> both{&can, &cannot};
  EXPECT_FALSE(Sleeper(both, bell).can_wait());
  EXPECT_TRUE(Sleeper(std::span<PortQueue* const>(both).first(1), bell).can_wait());
}

}  // namespace
}  // namespace magnetar
