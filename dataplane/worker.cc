// SPDX-License-Identifier: Apache-2.0
#include "dataplane/worker.h"

#include <algorithm>

#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <sys/prctl.h>
#include <time.h>

namespace magnetar {
namespace {

// How long a worker polls for nothing before it begins to yield its core, and how it then sleeps:
// longer the longer nothing comes, never longer than the delay a first packet may suffer.
constexpr unsigned kRoundsBeforeSleep = 512;
constexpr unsigned kShortSleepRounds = 2048;
constexpr long kShortSleepNs = 5'000;
constexpr long kLongSleepNs = 50'000;

}  // namespace

Worker::Worker(const WorkerContext& context, Grace& grace, IdlePolicy idle)
    : context_(context),
      grace_(grace),
      idle_(idle),
      outside_(context_),
      inside_(context_),
      exits_(context_) {}

void Worker::run() {
  prctl(PR_SET_TIMERSLACK, 1);  // the default 50 us would double our sleeps
  grace_.enter(context_.worker);
  unsigned idle_rounds = 0;
  std::uint64_t before = rte_rdtsc();
  while (!stopping_.load(std::memory_order_relaxed)) {
    const std::size_t seen = run_once();
    const std::uint64_t after = rte_rdtsc();
    context_.stats.total_cycles.add(after - before);
    if (seen > 0) {
      context_.stats.busy_cycles.add(after - before);
      idle_rounds = 0;
    } else if (idle_ == IdlePolicy::kAdaptive) {
      rest(++idle_rounds);
    } else {
      rte_pause();
    }
    before = after;
  }
  grace_.leave(context_.worker);
}

std::size_t Worker::run_once() {
  std::size_t seen = send_control_frames(context_, exits_);  // what waited longest
  seen += outside_.run();
  seen += inside_.run();
  grace_.quiescent(context_.worker);
  return seen;
}

void Worker::rest(unsigned idle_rounds) {
  if (idle_rounds < kRoundsBeforeSleep) return rte_pause();
  const bool brief = idle_rounds < kShortSleepRounds;
  const timespec pause{.tv_sec = 0, .tv_nsec = brief ? kShortSleepNs : kLongSleepNs};
  nanosleep(&pause, nullptr);
}

}  // namespace magnetar
