// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/two_workers.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include <rte_cycles.h>

#include "dataplane/base/check.h"
#include "drivers/crypto/ipsec_mb.h"
#include "tests/bench/gateway.h"
#include "tests/bench/lockstep.h"
#include "tests/bench/traffic.h"

namespace magnetar::bench {
namespace {

constexpr std::size_t kRuns = 301;
constexpr std::size_t kWarmUp = 20;

struct Span {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
};

// Each thread makes its own packets ready, so that they lie in the cache of the worker that gets
// them, as a port's would. Lane 0 is the one worker, which knows that it is alone.
class Duel {
 public:
  explicit Duel(const TwoWorkersCase& c)
      : seal_(c.direction == Direction::kSeal),
        gateway_(make_ipsec_mb(Cipher::kAes256Gcm), c.sessions) {
    for (std::size_t i = 0; i < traffic_.size(); ++i) {
      gateway_.add_lane(make_ipsec_mb(Cipher::kAes256Gcm));
      traffic_[i] = std::make_unique<Traffic>(gateway_, std::span(&c.size, 1), false, i + 1);
    }
  }

  // The same steps in both threads: one worker's slice, then a slice of each.
  void run(std::size_t thread) {
    for (std::size_t i = 0; i < kRuns + kWarmUp; ++i) {
      if (thread == 0) {
        make(0);
        const Span alone = work(0, gateway_.lane(0));
        if (i >= kWarmUp) one_.push_back(per_packet(alone, 1));
      }
      // The second has waited here, and is awake.
      meeting_.wait();
      make(thread);
      meeting_.wait();
      spans_[thread] = work(thread, gateway_.lane(thread + 1));
      meeting_.wait();
      if (thread == 0 && i >= kWarmUp) two_.push_back(per_packet(both(), 2));
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
            .limit = "one worker",
            .cycles_per_packet = median(two_),
            .limit_cycles_per_packet = median(one_),
            .runs = two_.size(),
            .stages = {}};
  }

 private:
  void make(std::size_t thread) {
    if (seal_)
      traffic_[thread]->make_plain(0);
    else
      traffic_[thread]->make_sealed(0, Flaw::kNone);
  }
  Span work(std::size_t thread, Gateway::Lane& lane) {
    BenchPort& source = seal_ ? lane.inside : lane.outside;
    const BenchPort& sink = seal_ ? lane.outside : lane.inside;
    source.load(traffic_[thread]->mbufs(0));
    const std::size_t sent = sink.sent();
    Span span;
    span.start = rte_rdtsc_precise();
    while (!source.empty()) lane.worker.run_once();
    span.end = rte_rdtsc_precise();
    MAGNETAR_CHECK(sink.sent() - sent == traffic_[thread]->packets());  // every packet went its way
    return span;
  }
  // From the first to begin to the last to end.
  [[nodiscard]] Span both() const {
    return {std::min(spans_[0].start, spans_[1].start), std::max(spans_[0].end, spans_[1].end)};
  }
  [[nodiscard]] double per_packet(const Span& span, std::size_t workers) const {
    return static_cast<double>(span.end - span.start) /
           static_cast<double>(workers * traffic_[0]->packets());
  }

  bool seal_;
  Gateway gateway_;
  std::array<std::unique_ptr<Traffic>, 2> traffic_;
  Meeting meeting_;
  std::array<Span, 2> spans_;
  std::vector<double> one_;
  std::vector<double> two_;
};

}  // namespace

std::string TwoWorkersCase::pipeline() const {
  return direction == Direction::kSeal ? "two-workers-seal" : "two-workers-open";
}

std::string TwoWorkersCase::name() const {
  return pipeline() + "/" + std::string(cipher_name(Cipher::kAes256Gcm)) + "/" +
         std::to_string(size) + "/" + std::to_string(sessions) + "/cache";
}

std::vector<TwoWorkersCase> two_workers_cases() {
  std::vector<TwoWorkersCase> cases;
  for (const Direction direction : {Direction::kSeal, Direction::kOpen})
    for (const std::size_t sessions : {1U, 1'000U, 10'000U})
      for (const std::uint32_t size : {64U, 1420U}) cases.push_back({direction, size, sessions});
  return cases;
}

Row measure_two_workers(const TwoWorkersCase& c) {
  Duel duel(c);
  on_two_cores([&](std::size_t thread) { duel.run(thread); });
  return duel.row(c);
}

}  // namespace magnetar::bench
