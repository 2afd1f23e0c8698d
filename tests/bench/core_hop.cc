// SPDX-License-Identifier: Apache-2.0
// core_hop A B: nanoseconds that a cache line takes from one core to the other. On virtual machines
// it changes while they run, from a few dozen between threads of one core to hundreds between
// sockets, and what two cores give each other through memory changes with it.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <thread>

#include <rte_pause.h>
#include <sched.h>

namespace {

constexpr int kTrials = 200;
constexpr int kHops = 100;  // there and back: few, so that some trials are not interrupted
constexpr int kTurns = 2 * kTrials * kHops;

alignas(64) std::atomic<int> turn{0};

void pin_to(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(core), &set);
  sched_setaffinity(0, sizeof(set), &set);
}

void wait_for(int mine) {
  while (turn.load(std::memory_order_acquire) != mine) rte_pause();
}
void pass_on(int mine) { turn.store(mine + 1, std::memory_order_release); }

}  // namespace

int main(int argc, char** argv) {
  using Clock = std::chrono::steady_clock;
  if (argc != 3) return 2;
  std::thread other([core = std::atoi(argv[2])] {
    pin_to(core);
    for (int mine = 1; mine < kTurns; mine += 2) {
      wait_for(mine);
      pass_on(mine);
    }
  });
  pin_to(std::atoi(argv[1]));
  double least = std::numeric_limits<double>::max();
  auto before = Clock::now();
  for (int mine = 0; mine < kTurns; mine += 2) {
    wait_for(mine);
    if (mine % (2 * kHops) == 0 && mine > 0) {
      const auto now = Clock::now();
      const std::chrono::duration<double, std::nano> took = now - before;
      least = std::min(least, took.count() / (2 * kHops));
      before = now;
    }
    pass_on(mine);
  }
  other.join();
  std::printf("%.1f\n", least);
  return 0;
}
