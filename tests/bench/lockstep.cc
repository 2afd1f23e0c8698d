// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/lockstep.h"

#include <optional>
#include <thread>

#include <pthread.h>
#include <rte_pause.h>
#include <sched.h>
#include <unistd.h>

#include "dataplane/base/check.h"

namespace magnetar::bench {
namespace {

bool move_to(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  return pthread_setaffinity_np(pthread_self(), sizeof(set), &set) == 0;
}

// DPDK has put the main thread on one core. Tried in a thread that ends with it.
std::optional<unsigned> find_other_core() {
  const int here = sched_getcpu();
  const long cpus = sysconf(_SC_NPROCESSORS_CONF);
  std::optional<unsigned> found;
  std::thread([&] {
    for (int cpu = 0; cpu < cpus && !found; ++cpu)
      if (cpu != here && move_to(static_cast<unsigned>(cpu))) found = static_cast<unsigned>(cpu);
  }).join();
  return found;
}

}  // namespace

void Meeting::wait() {
  const unsigned round = round_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) == 1) {
    arrived_.store(0, std::memory_order_relaxed);
    round_.store(round + 1, std::memory_order_release);
    return;
  }
  while (round_.load(std::memory_order_acquire) == round) rte_pause();
}

bool has_two_cores() { return find_other_core().has_value(); }

void on_two_cores(const std::function<void(std::size_t)>& work) {
  const std::optional<unsigned> core = find_other_core();
  MAGNETAR_CHECK(core.has_value());
  std::thread other([&] {
    MAGNETAR_CHECK(move_to(*core));
    work(1);
  });
  work(0);
  other.join();
}

}  // namespace magnetar::bench
