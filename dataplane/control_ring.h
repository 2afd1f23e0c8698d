// SPDX-License-Identifier: Apache-2.0
// The crossings between workers and the control thread: bounded rings up (any worker to the control
// thread), one for each kind of punt, so that a flood of one kind leaves the others their room and
// their turn; one ring down to each worker.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "dataplane/doorbell.h"
#include "dataplane/mbuf_ring.h"
#include "dataplane/stats.h"

namespace magnetar {

class ControlRings {
 public:
  // Sizes are powers of two; `punt_size` is each kind's. Start-up only.
  ControlRings(unsigned workers, unsigned punt_size, unsigned transmit_size);
  ControlRings(const ControlRings&) = delete;
  ControlRings& operator=(const ControlRings&) = delete;

  // Workers. Takes packets from the front, as many as fit; wakes the control thread. The caller
  // keeps the rest.
  unsigned punt(PuntKind kind, std::span<rte_mbuf*> packets);
  // Worker `worker`: frames the control thread wants sent, ready but for the port.
  unsigned take_frames(unsigned worker, std::span<rte_mbuf*> into);

  // Control thread. A few of each kind in turn, each kind in the order it came.
  unsigned take_punted(std::span<rte_mbuf*> into);
  [[nodiscard]] unsigned punted_waiting() const;
  [[nodiscard]] unsigned frames_waiting() const;  // for all workers together
  // False: the worker's ring is full; the caller keeps the frame.
  [[nodiscard]] bool send_frame(unsigned worker, rte_mbuf* frame);

  // Readable when a worker has punted something after prepare_to_sleep(). Control thread.
  [[nodiscard]] int wake_fd() const { return bell_.fd(); }
  // Announces that the control thread is about to sleep. False: there is work, do not.
  [[nodiscard]] bool prepare_to_sleep();
  void woken() { bell_.end_sleep(); }

  // Rings when worker `worker` has something on a ring of its own. Start-up; then that worker.
  [[nodiscard]] Doorbell& worker_bell(unsigned worker) { return worker_bells_[worker]; }

 private:
  [[nodiscard]] bool nothing_punted() const;

  Doorbell bell_;  // the control thread's
  std::vector<Doorbell> worker_bells_;
  std::vector<MbufRing> punted_;    // by PuntKind
  std::size_t turn_ = 0;            // of the kind that is asked first
  std::vector<MbufRing> transmit_;  // by worker
};

}  // namespace magnetar
