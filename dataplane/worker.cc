// SPDX-License-Identifier: Apache-2.0
#include "dataplane/worker.h"

#include <array>

#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dataplane/patience.h"

namespace magnetar {
namespace {

// As the kernel has it (linux/sched/types.h), since the C library of Debian 12 does not.
struct SchedAttr {
  std::uint32_t size = sizeof(SchedAttr);
  std::uint32_t policy = SCHED_OTHER;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime_ns = 0, deadline_ns = 0, period_ns = 0;
};

// On a core that others use too, turns of 0.7 ms in place of up to 3: an application that reads
// small datagrams has room for about 1 ms of them. Kernels before 6.12 know no turns of one's own.
void take_short_turns() {
  constexpr std::uint64_t kTurnNs = 700'000;
  if (sched_getscheduler(0) != SCHED_OTHER) return;  // somebody has chosen: real time, for example
  SchedAttr attributes;
  attributes.nice = getpriority(PRIO_PROCESS, 0);
  attributes.runtime_ns = kTurnNs;
  syscall(SYS_sched_setattr, 0, &attributes, 0);
}

// Between two polls that find nothing. An adaptive worker may share its core, and lets others run.
void pause_between_polls(IdlePolicy idle) {
  if (idle == IdlePolicy::kAdaptive)
    sched_yield();
  else
    rte_pause();
}

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
  if (idle_ == IdlePolicy::kAdaptive) take_short_turns();
  prctl(PR_SET_TIMERSLACK, 1);  // the default 50 us would double our naps
  const std::array<PortQueue*, 2> ports{&context_.outside, &context_.inside};
  Sleeper sleeper(ports, bell_);
  grace_.enter(context_.worker);
  std::uint64_t before = rte_rdtsc();
  Patience patience(rte_get_tsc_hz(), before);
  while (!stopping_.load()) {
    const std::size_t seen = run_once();
    const std::uint64_t after = rte_rdtsc();
    context_.stats.total_cycles.add(after - before);
    if (seen > 0) {
      context_.stats.busy_cycles.add(after - before);
      patience.packets_at(after);
    } else if (idle_ == IdlePolicy::kAdaptive && patience.over(after)) {
      if (rest(sleeper)) patience.woken_at(rte_rdtsc());
    } else {
      pause_between_polls(idle_);
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
