// SPDX-License-Identifier: Apache-2.0
// Cycles a packet through the real pipelines (mbufs, tables, replay window, counters; ports of
// memory) against a limit measured in the same run, the two taking turns. docs/performance.md
// tells the method.
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>

#include <benchmark/benchmark.h>
#include <rte_cycles.h>

#include "dataplane/base/check.h"
#include "drivers/crypto/ipsec_mb.h"
#include "tests/bench/bare_cipher.h"
#include "tests/bench/gateway.h"
#include "tests/bench/lockstep.h"
#include "tests/bench/report.h"
#include "tests/bench/rows.h"
#include "tests/bench/traffic.h"
#include "tests/bench/two_workers.h"

namespace magnetar::bench {
namespace {

constexpr std::size_t kRuns = 301;  // of a slice, each way
constexpr std::size_t kWarmUp = 20;
constexpr std::size_t kTrials = 31;  // of each way to call the library

class Measurement {
 public:
  explicit Measurement(const Case& c)
      : case_(c),
        gateway_(make_ipsec_mb(c.cipher), c.sessions, c.inner_v6),
        traffic_(gateway_, c.sizes, c.beyond_cache, 0, c.inner_v6),
        bare_(make_bare_ciphers(c.cipher)) {
    if (!is_drop()) choose_bare();
  }

  // Subject and limit take turns, slice by slice, and each meets every slice.
  void pass() {
    for (std::size_t slice = 0; slice < traffic_.slices(); ++slice) make(slice, is_subject(slice));
    for (std::size_t slice = 0; slice < traffic_.slices(); ++slice) {
      const bool subject = is_subject(slice);
      (subject ? ours_ : limits_).push_back(run(slice, subject));
    }
    ++passes_;
  }
  [[nodiscard]] bool done() const { return limits_.size() >= kRuns + kWarmUp; }

  [[nodiscard]] Row row() {
    MAGNETAR_CHECK(gateway_.adds_up());
    ours_.erase(ours_.begin(), ours_.begin() + kWarmUp);
    limits_.erase(limits_.begin(), limits_.begin() + kWarmUp);
    const std::size_t total = std::reduce(case_.sizes.begin(), case_.sizes.end());
    return {.name = case_.name(),
            .pipeline = case_.pipeline() + (case_.inner_v6 ? "-ipv6" : ""),
            .cipher = std::string(cipher_name(case_.cipher)),
            .size = case_.size,
            .bytes = total / case_.sizes.size(),
            .sessions = case_.sessions,
            .buffers = case_.beyond_cache ? "memory" : "cache",
            .limit = is_drop() ? "good packet" : bare_[best_]->name(),
            .cycles_per_packet = median(ours_),
            .limit_cycles_per_packet = median(limits_),
            .runs = ours_.size(),
            .stages = is_bare() || is_drop() ? std::vector<StageCost>{} : stages()};
  }

 private:
  // As `magnetar runtime` shows them.
  [[nodiscard]] std::vector<StageCost> stages() const {
    std::vector<StageCost> costs;
    for (std::size_t i = 0; i < kStages; ++i) {
      const StageStats& of = gateway_.stats().stages[i];
      if (of.packets.get() == 0) continue;
      const double per_packet =
          static_cast<double>(of.cycles.get()) / static_cast<double>(of.packets.get());
      costs.push_back({std::string(kStageNames[i].stage), per_packet});
    }
    return costs;
  }
  [[nodiscard]] bool is_drop() const { return case_.subject >= Subject::kDropForged; }
  [[nodiscard]] bool is_subject(std::size_t slice) const { return (slice + passes_) % 2 == 0; }
  [[nodiscard]] bool is_bare() const {
    return case_.subject == Subject::kBareSeal || case_.subject == Subject::kBareOpen;
  }
  [[nodiscard]] Direction direction() const {
    return case_.subject == Subject::kBareSeal || case_.subject == Subject::kSeal
               ? Direction::kSeal
               : Direction::kOpen;
  }
  [[nodiscard]] Flaw flaw(bool subject) const {
    if (!subject || !is_drop()) return Flaw::kNone;
    if (case_.subject == Subject::kDropForged) return Flaw::kBadTag;
    return case_.subject == Subject::kDropReplayed ? Flaw::kReplayed : Flaw::kUnknownIndex;
  }

  void make(std::size_t slice, bool subject) {
    if (direction() == Direction::kSeal) {
      traffic_.make_plain(slice);
    } else {
      traffic_.make_sealed(slice, flaw(subject));
    }
  }

  // The fastest way to call the library is the limit; a bare row shows the plain call against it.
  void choose_bare() {
    std::vector<std::vector<double>> cycles(bare_.size());
    for (std::size_t trial = 0; trial < kTrials * bare_.size(); ++trial) {
      const std::size_t slice = trial / bare_.size() % traffic_.slices();
      make(slice, false);
      cycles[trial % bare_.size()].push_back(run_bare(slice, *bare_[trial % bare_.size()]));
    }
    std::vector<double> medians;
    for (const std::vector<double>& of : cycles) medians.push_back(median(of));
    best_ = static_cast<std::size_t>(std::ranges::min_element(medians) - medians.begin());
  }

  double run(std::size_t slice, bool subject) {
    if (is_bare()) return run_bare(slice, subject ? *bare_[0] : *bare_[best_]);
    return subject || is_drop() ? run_pipeline(slice, flaw(subject))
                                : run_bare(slice, *bare_[best_]);
  }

  double run_bare(std::size_t slice, BareCipher& bare) {
    const auto buffers = traffic_.buffers(slice, direction());
    const std::uint64_t start = rte_rdtsc_precise();
    bare.run(direction(), buffers);
    return per_packet(rte_rdtsc_precise() - start);
  }

  double run_pipeline(std::size_t slice, Flaw flaw) {
    const bool seal = direction() == Direction::kSeal;
    BenchPort& source = seal ? gateway_.inside() : gateway_.outside();
    const BenchPort& sink = seal ? gateway_.outside() : gateway_.inside();
    source.load(traffic_.mbufs(slice));
    const std::size_t sent = sink.sent();
    const std::uint64_t start = rte_rdtsc_precise();
    while (!source.empty()) gateway_.run_once();
    const std::uint64_t end = rte_rdtsc_precise();
    // Every packet went where it was to go.
    MAGNETAR_CHECK(sink.sent() - sent == (flaw == Flaw::kNone ? traffic_.packets() : 0));
    if (flaw != Flaw::kNone) traffic_.replace(slice);
    return per_packet(end - start);
  }

  [[nodiscard]] double per_packet(std::uint64_t cycles) const {
    return static_cast<double>(cycles) / static_cast<double>(traffic_.packets());
  }

  Case case_;
  Gateway gateway_;
  Traffic traffic_;
  std::vector<std::unique_ptr<BareCipher>> bare_;
  std::size_t best_ = 0;
  std::size_t passes_ = 0;
  std::vector<double> ours_;
  std::vector<double> limits_;
};

class RowReporter final : public benchmark::BenchmarkReporter {
 public:
  RowReporter(const std::vector<Row>& rows, bool stages) : rows_(rows), stages_(stages) {}
  bool ReportContext(const Context&) override {
    print_head();
    return true;
  }
  void ReportRuns(const std::vector<Run>&) override {
    print_row(rows_.back(), static_cast<double>(rte_get_tsc_hz()) / 1e9, stages_);
  }

 private:
  const std::vector<Row>& rows_;
  bool stages_;
};

// One run of the runner is one pass; what a packet costs is ours to work out.
void measure(benchmark::State& state, const Case& c, std::vector<Row>& rows) {
  Measurement measurement(c);
  for ([[maybe_unused]] const auto one : state)
    while (!measurement.done()) measurement.pass();
  rows.push_back(measurement.row());
}

void register_two_cores(std::vector<Row>& rows) {
  if (!has_two_cores()) {
    std::fprintf(stderr, "one core: no rows of two workers\n");
    return;
  }
  const auto add = [&rows](const std::string& name, std::function<Row()> row) {
    benchmark::RegisterBenchmark(name.c_str(), [&rows, row](benchmark::State& state) {
      for ([[maybe_unused]] const auto one : state) rows.push_back(row());
    })->Iterations(1);
  };
  for (const TwoWorkersCase& c : two_workers_cases())
    add(c.name(), [c] { return measure_two_workers(c); });
  for (const std::uint32_t size : {64U, 1420U})
    add("hand-over/none/" + std::to_string(size) + "/1/cache",
        [size] { return measure_hand_over(size); });
}

int run(bool all, bool stages, const char* json_path) {
  testing::ensure_eal(2048);  // of address space: what is not used stays unbacked
  std::vector<Row> rows;
  for (const Case& c : make_cases(all))
    benchmark::RegisterBenchmark(c.name().c_str(), measure, c, std::ref(rows))->Iterations(1);
  register_two_cores(rows);
  RowReporter reporter(rows, stages);
  benchmark::RunSpecifiedBenchmarks(&reporter);
  const double cycles_per_ns = static_cast<double>(rte_get_tsc_hz()) / 1e9;
  return json_path == nullptr || write_json(json_path, rows, cycles_per_ns) ? 0 : 1;
}

}  // namespace
}  // namespace magnetar::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  bool all = false;
  bool stages = false;
  const char* json_path = nullptr;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--all") == 0) {
      all = true;
    } else if (std::strcmp(argv[i], "--stages") == 0) {
      stages = true;
    } else if (std::strcmp(argv[i], "--json") == 0 && i + 1 < argc) {
      json_path = argv[++i];
    } else {
      std::fprintf(
          stderr,
          "usage: pipeline_bench [--all] [--stages] [--json FILE] [--benchmark_filter=REGEX]\n");
      return 2;
    }
  }
  return magnetar::bench::run(all, stages, json_path);
}
