// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <memory>

#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "dataplane/base/check.h"
#include "dataplane/spread.h"
#include "dataplane/wire/flow.h"
#include "drivers/crypto/ipsec_mb.h"
#include "tests/bench/gateway.h"
#include "tests/bench/lockstep.h"
#include "tests/bench/traffic.h"
#include "tests/bench/two_workers.h"

namespace magnetar::bench {
namespace {

constexpr std::size_t kRuns = 301;
constexpr std::size_t kWarmUp = 20;
constexpr unsigned kRing = 1024;  // a slice fits, so that each side's cycles are its own
constexpr std::size_t kAhead = 4;

// The index is the tunnel's: an odd one belongs to the second of two workers.
std::uint32_t flow_of(ByteView frame) { return wire::outside_flow(frame) | 1U; }

// The first worker polls and hands over, then the second receives and looks at each packet, as its
// pipeline would: that is when the lines change cores. The limit is a ring with no packet looked
// at.
class HandOver {
 public:
  explicit HandOver(std::uint32_t size)
      : gateway_(make_ipsec_mb(Cipher::kAes256Gcm), 1),
        traffic_(gateway_, std::span(&size, 1), false),
        device_(new BenchPort),
        polling_(std::unique_ptr<PortQueue>(device_), flow_of, {&ring_}, stats_, stats_.outside),
        fed_(std::make_unique<BenchPort>(), ring_, bell_) {}

  // The same steps in both threads; one works while the other waits.
  void run(std::size_t thread) {
    for (std::size_t i = 0; i < 2 * (kRuns + kWarmUp); ++i) {
      const bool subject = i % 2 == 0;
      if (thread == 0) {
        traffic_.make_sealed(0, Flaw::kNone);
        device_->load(traffic_.mbufs(0));
        cycles_[0] = timed([&] { subject ? poll() : enqueue(); });
      }
      meeting_.wait();
      if (thread == 1) cycles_[1] = timed([&] { subject ? take() : dequeue(); });
      meeting_.wait();
      if (thread == 1 || i < 2 * kWarmUp) continue;
      (subject ? ours_ : limits_)
          .push_back(static_cast<double>(cycles_[0] + cycles_[1]) /
                     static_cast<double>(traffic_.packets()));
    }
  }

  [[nodiscard]] Row row(std::uint32_t size) const {
    MAGNETAR_CHECK(stats_.drops[static_cast<std::size_t>(Verdict::kWorkerFull)].get() == 0);
    return {.name = "hand-over/none/" + std::to_string(size) + "/1/cache",
            .pipeline = "hand-over",
            .cipher = "none",
            .size = std::to_string(size),
            .bytes = size,
            .sessions = 1,
            .buffers = "cache",
            .limit = "ring bursts alone",
            .cycles_per_packet = median(ours_),
            .limit_cycles_per_packet = median(limits_),
            .runs = ours_.size(),
            .stages = {}};
  }

 private:
  template <typename Work>
  static std::uint64_t timed(Work&& work) {
    const std::uint64_t start = rte_rdtsc_precise();
    work();
    return rte_rdtsc_precise() - start;
  }

  void poll() {
    std::array<rte_mbuf*, kBurst> kept;
    while (!device_->empty()) MAGNETAR_CHECK(polling_.receive(kept) == 0);
  }
  void take() {
    std::array<rte_mbuf*, kBurst> packets;
    std::size_t taken = 0;
    while (const std::size_t count = fed_.receive(packets)) {
      for (std::size_t i = 0; i < count; ++i) {
        if (i + 2 * kAhead < count) rte_prefetch0(packets[i + 2 * kAhead]);
        if (i + kAhead < count) rte_prefetch0(rte_pktmbuf_mtod(packets[i + kAhead], void*));
        seen_ = seen_ + std::to_integer<std::uint64_t>(view_of(*packets[i])[0]);
      }
      taken += count;
    }
    MAGNETAR_CHECK(taken == traffic_.packets());
  }
  void enqueue() {
    std::array<rte_mbuf*, kBurst> packets;
    while (const std::uint16_t count = device_->receive(packets))
      MAGNETAR_CHECK(ring_.enqueue_burst(std::span(packets).first(count)) == count);
  }
  void dequeue() {
    std::array<rte_mbuf*, kBurst> packets;
    while (ring_.dequeue_burst(packets) > 0) {
    }
  }

  Gateway gateway_;
  Traffic traffic_;
  WorkerStats stats_;
  Doorbell bell_;
  MbufRing ring_{"hand_over", kRing, MbufRing::Producers::kOne};
  BenchPort* device_;
  SpreadingQueue polling_;
  FedQueue fed_;
  Meeting meeting_;
  std::array<std::uint64_t, 2> cycles_{};
  volatile std::uint64_t seen_ = 0;
  std::vector<double> ours_;
  std::vector<double> limits_;
};

}  // namespace

Row measure_hand_over(std::uint32_t size) {
  HandOver hand_over(size);
  on_two_cores([&](std::size_t thread) { hand_over.run(thread); });
  return hand_over.row(size);
}

}  // namespace magnetar::bench
