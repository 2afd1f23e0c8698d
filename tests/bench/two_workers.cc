// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/two_workers.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include <rte_cycles.h>
#include <rte_pause.h>

#include "dataplane/base/check.h"
#include "drivers/crypto/ipsec_mb.h"
#include "tests/bench/bare_cipher.h"
#include "tests/bench/gateway.h"
#include "tests/bench/lockstep.h"
#include "tests/bench/traffic.h"

namespace magnetar::bench {
namespace {

constexpr std::size_t kRuns = 301;
constexpr std::size_t kWarmUp = 20;

// Cycles from one meeting to the moment at which both begin: leaving a meeting may take one of them
// microseconds longer than the other.
constexpr std::uint64_t kNotice = 20'000;

// Each thread makes its own packets ready, so that they lie in the cache of the worker that gets
// them, as a port's would. Lane 0 is the one worker, which knows that it is alone.
class Duel {
 public:
  explicit Duel(const TwoWorkersCase& c)
      : duty_(c.duty), gateway_(make_ipsec_mb(Cipher::kAes256Gcm), c.sessions) {
    for (std::size_t i = 0; i < traffic_.size(); ++i) {
      gateway_.add_lane(make_ipsec_mb(Cipher::kAes256Gcm));
      traffic_[i] = std::make_unique<Traffic>(gateway_, std::span(&c.size, 1), false, i + 1);
      bare_[i] = std::move(make_bare_ciphers(Cipher::kAes256Gcm).front());
    }
  }

  // The same steps in both threads: one worker's slice, then a slice of each.
  void run(std::size_t thread) {
    for (std::size_t i = 0; i < kRuns + kWarmUp; ++i) {
      if (thread == 0) {
        make(0);
        wait_until(rte_rdtsc() + kNotice);  // as both do
        const std::uint64_t alone = work(0, gateway_.lane(0));
        if (i >= kWarmUp) one_.push_back(per_packet(alone, 1));
      }
      // The second has waited here, and is awake.
      meeting_.wait();
      make(thread);
      meeting_.wait();
      if (thread == 0) begin_ = rte_rdtsc() + kNotice;
      meeting_.wait();
      wait_until(begin_);
      cycles_[thread] = work(thread, gateway_.lane(thread + 1));
      meeting_.wait();
      if (thread == 0 && i >= kWarmUp)
        two_.push_back(per_packet(std::max(cycles_[0], cycles_[1]), 2));  // of the slower
    }
  }

  [[nodiscard]] Row row(const TwoWorkersCase& c) const {
    MAGNETAR_CHECK(gateway_.adds_up());
    return {.name = c.name(),
            .pipeline = c.pipeline(),
            .cipher = std::string(cipher_name(Cipher::kAes256Gcm)),
            .size = std::to_string(c.size),
            .bytes = c.size,
            .sessions = c.sessions,
            .buffers = "cache",
            .limit = c.duty == Duty::kBare ? "one core" : "one worker",
            .cycles_per_packet = median(two_),
            .limit_cycles_per_packet = median(one_),
            .runs = two_.size(),
            .stages = {}};
  }

 private:
  void make(std::size_t thread) {
    if (duty_ == Duty::kOpen)
      traffic_[thread]->make_sealed(0, Flaw::kNone);
    else
      traffic_[thread]->make_plain(0);
  }
  static void wait_until(std::uint64_t moment) {
    while (rte_rdtsc() < moment) rte_pause();
  }
  std::uint64_t work(std::size_t thread, Gateway::Lane& lane) {
    return duty_ == Duty::kBare ? cipher_alone(thread) : pipeline(thread, lane);
  }
  std::uint64_t cipher_alone(std::size_t thread) {
    const auto buffers = traffic_[thread]->buffers(0, Direction::kSeal);
    const std::uint64_t start = rte_rdtsc_precise();
    bare_[thread]->run(Direction::kSeal, buffers);
    return rte_rdtsc_precise() - start;
  }
  std::uint64_t pipeline(std::size_t thread, Gateway::Lane& lane) {
    const bool seal = duty_ == Duty::kSeal;
    BenchPort& source = seal ? lane.inside : lane.outside;
    const BenchPort& sink = seal ? lane.outside : lane.inside;
    source.load(traffic_[thread]->mbufs(0));
    const std::size_t sent = sink.sent();
    const std::uint64_t start = rte_rdtsc_precise();
    while (!source.empty()) lane.worker.run_once();
    const std::uint64_t cycles = rte_rdtsc_precise() - start;
    MAGNETAR_CHECK(sink.sent() - sent == traffic_[thread]->packets());  // every packet went its way
    return cycles;
  }
  [[nodiscard]] double per_packet(std::uint64_t cycles, std::size_t workers) const {
    return static_cast<double>(cycles) / static_cast<double>(workers * traffic_[0]->packets());
  }

  Duty duty_;
  Gateway gateway_;
  std::array<std::unique_ptr<Traffic>, 2> traffic_;
  std::array<std::unique_ptr<BareCipher>, 2> bare_;
  Meeting meeting_;
  std::uint64_t begin_ = 0;
  std::array<std::uint64_t, 2> cycles_{};
  std::vector<double> one_;
  std::vector<double> two_;
};

}  // namespace

std::string TwoWorkersCase::pipeline() const {
  if (duty == Duty::kBare) return "two-cores-bare-seal";
  return duty == Duty::kSeal ? "two-workers-seal" : "two-workers-open";
}

std::string TwoWorkersCase::name() const {
  return pipeline() + "/" + std::string(cipher_name(Cipher::kAes256Gcm)) + "/" +
         std::to_string(size) + "/" + std::to_string(sessions) + "/cache";
}

std::vector<TwoWorkersCase> two_workers_cases() {
  std::vector<TwoWorkersCase> cases;
  for (const Duty duty : {Duty::kBare, Duty::kSeal, Duty::kOpen})
    for (const std::size_t sessions : {1U, 1'000U, 10'000U})
      for (const std::uint32_t size : {64U, 1420U}) cases.push_back({duty, size, sessions});
  return cases;
}

Row measure_two_workers(const TwoWorkersCase& c) {
  Duel duel(c);
  on_two_cores([&](std::size_t thread) { duel.run(thread); });
  return duel.row(c);
}

}  // namespace magnetar::bench
