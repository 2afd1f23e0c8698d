// SPDX-License-Identifier: Apache-2.0
#include "dataplane/worker.h"

#include <array>

#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <sys/prctl.h>

namespace magnetar {
namespace {

// How long a worker polls for nothing before it sleeps: a few times what it takes to be woken, so
// that the answer to what it has just sent on finds it awake, and idle time costs nothing.
constexpr std::uint64_t kPatienceUs = 100;

}  // namespace

Worker::Worker(const WorkerContext& context, Grace& grace, IdlePolicy idle)
    : context_(context),
      grace_(grace),
      idle_(idle),
      bell_(context_.rings.worker_bell(context_.worker)),
      outside_(context_),
      inside_(context_),
      exits_(context_) {}

void Worker::run() {
  prctl(PR_SET_TIMERSLACK, 1);  // the default 50 us would double our naps
  const std::array<PortQueue*, 2> ports{&context_.outside, &context_.inside};
  Sleeper sleeper(ports, bell_);
  const std::uint64_t patience = rte_get_tsc_hz() / 1'000'000 * kPatienceUs;
  grace_.enter(context_.worker);
  std::uint64_t before = rte_rdtsc();
  std::uint64_t last_busy = before;
  while (!stopping_.load()) {
    const std::size_t seen = run_once();
    const std::uint64_t after = rte_rdtsc();
    context_.stats.total_cycles.add(after - before);
    if (seen > 0) {
      context_.stats.busy_cycles.add(after - before);
      last_busy = after;
    } else if (idle_ == IdlePolicy::kAdaptive && after - last_busy > patience) {
      if (rest(sleeper)) last_busy = rte_rdtsc();
    } else {
      rte_pause();
    }
    before = after;
  }
  grace_.leave(context_.worker);
}

void Worker::stop() {
  stopping_.store(true);
  bell_.ring();
}

std::size_t Worker::run_once() {
  std::size_t seen = send_control_frames(context_, exits_);  // what waited longest
  seen += outside_.run();
  seen += inside_.run();
  grace_.quiescent(context_.worker);
  return seen;
}

bool Worker::rest(Sleeper& sleeper) {
  if (!sleeper.can_wait() || outside_.waiting()) {
    Sleeper::nap();
    return false;
  }
  bell_.announce_sleep();
  const bool armed = sleeper.arm();
  // What came before the announcement rang no bell, and before the arming showed on no descriptor.
  bool awake = run_once() > 0;
  if (!awake && !outside_.waiting() && !stopping_.load()) {
    grace_.sleep(context_.worker);
    // A device may wake a worker before receive() shows it the packet: so it polls on for a while.
    if (armed)
      awake = sleeper.wait();
    else
      Sleeper::nap();
    grace_.wake(context_.worker);
  }
  sleeper.disarm();
  bell_.end_sleep();
  return awake;
}

}  // namespace magnetar
