// SPDX-License-Identifier: Apache-2.0
// explore [--full [which]]: searches every scenario and says how many states it saw. The full
// search takes two drops and two duplicates everywhere; the one without is for CI.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/sim/explore/searches.h"

namespace magnetar::sim::explore {
namespace {

constexpr std::uint64_t kMaxStates = 200'000'000;

bool search(const Scenario& scenario, const Budget& budget) {
  const auto begin = std::chrono::steady_clock::now();
  Explorer explorer(scenario, budget, kMaxStates);
  const Outcome outcome = explorer.run();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("%s; %s: %lu states, %lu steps, %lu final, %zu of single hosts, %.1f s%s\n",
              scenario.name.c_str(), to_string(budget).c_str(), outcome.states, outcome.steps,
              outcome.finals, outcome.host_states, took.count(),
              outcome.complete ? "" : " (not all)");
  for (const Violation& violation : outcome.violations) print(violation);
  std::fflush(stdout);
  return outcome.complete;
}

}  // namespace
}  // namespace magnetar::sim::explore

int main(int argc, char** argv) {
  using namespace magnetar::sim::explore;
  const bool full = argc > 1 && std::strcmp(argv[1], "--full") == 0;
  const auto all = searches();
  bool good = true;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (argc > 2 && std::strtoul(argv[2], nullptr, 10) != i) continue;
    good = search(all[i].scenario, full ? all[i].full : all[i].quick) && good;
  }
  return good ? 0 : 1;
}
