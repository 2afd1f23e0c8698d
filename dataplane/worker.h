// SPDX-License-Identifier: Apache-2.0
// A poll-mode worker: one core, both pipelines, the control thread's frames, a quiescent state.
#pragma once

#include <atomic>
#include <cstdint>

#include "dataplane/inside/pipeline.h"
#include "dataplane/outside/pipeline.h"
#include "dataplane/sleeper.h"
#include "dataplane/tables/grace.h"
#include "dataplane/worker_context.h"

namespace magnetar {

enum class IdlePolicy : std::uint8_t { kPoll, kAdaptive };

class Worker {
 public:
  Worker(const WorkerContext& context, Grace& grace, IdlePolicy idle);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // The lcore loop; returns after stop(). The worker's own thread.
  void run();
  // Any thread.
  void stop();

  // One round of everything; returns how many packets it saw. For run(), tests and benches.
  std::size_t run_once();

 private:
  // Whether there is something to stay awake for.
  bool rest(Sleeper& sleeper);

  WorkerContext context_;
  Grace& grace_;
  IdlePolicy idle_;
  Doorbell& bell_;
  OutsidePipeline outside_;
  InsidePipeline inside_;
  Exits exits_;
  std::atomic<bool> stopping_{false};
};

}  // namespace magnetar
