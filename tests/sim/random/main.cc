// SPDX-License-Identifier: Apache-2.0
// sim_random [--seeds N] [--seed S] [--nodes N] [--hours H] [--old N] [--new N]
// Runs seeds S to S+N-1; a seed that fails prints the command that repeats it.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "tests/sim/random/random_run.h"

int main(int argc, char** argv) {
  using namespace magnetar;
  std::map<std::string, double> options{{"--seeds", 20}, {"--seed", 1}, {"--nodes", 10},
                                        {"--hours", 1},  {"--old", 0},  {"--new", 0}};
  for (int i = 1; i + 1 < argc; i += 2) {
    const auto at = options.find(argv[i]);
    if (at == options.end()) {
      std::fprintf(stderr, "unknown option %s\n", argv[i]);
      return 2;
    }
    at->second = std::strtod(argv[i + 1], nullptr);
  }
  const sim::RandomOptions random{
      .nodes = static_cast<int>(options["--nodes"]),
      .old_peers = static_cast<int>(options["--old"]),
      .new_peers = static_cast<int>(options["--new"]),
      .length = std::chrono::duration_cast<Duration>(
          std::chrono::duration<double, std::ratio<3600>>(options["--hours"]))};
  const auto first = static_cast<std::uint32_t>(options["--seed"]);
  const auto seeds = static_cast<std::uint32_t>(options["--seeds"]);
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t packets = 0;
  std::uint64_t handshakes = 0;
  int failed = 0;
  for (std::uint32_t seed = first; seed < first + seeds; ++seed) {
    sim::RandomRun run(seed, random);
    const auto broken = run.run();
    packets += run.packets();
    handshakes += run.handshakes();
    if (!broken) continue;
    ++failed;
    std::printf(
        "seed %u: %s\n  repeat: sim_random --seed %u --seeds 1 --nodes %d --hours %g --old %d "
        "--new %d\n",
        seed, broken->c_str(), seed, random.nodes, options["--hours"], random.old_peers,
        random.new_peers);
    std::fflush(stdout);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("%u seeds, %d failed: %d nodes, %g hours each, %lu packets, %lu handshakes, %.1f s\n",
              seeds, failed, random.nodes, options["--hours"], packets, handshakes, took.count());
  return failed == 0 ? 0 : 1;
}
