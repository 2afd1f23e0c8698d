// SPDX-License-Identifier: Apache-2.0
#include "dataplane/control_ring.h"

#include <algorithm>

namespace magnetar {
namespace {

// So many of one kind before the next has its turn.
constexpr std::size_t kQuantum = 8;

}  // namespace

ControlRings::ControlRings(unsigned workers, unsigned punt_size, unsigned transmit_size)
    : worker_bells_(workers) {
  punted_.reserve(kPuntKinds);
  for (std::size_t i = 0; i < kPuntKinds; ++i)
    punted_.emplace_back("punt", punt_size, MbufRing::Producers::kMany, &bell_);
  transmit_.reserve(workers);
  for (unsigned i = 0; i < workers; ++i)
    transmit_.emplace_back("transmit", transmit_size, MbufRing::Producers::kOne, &worker_bells_[i]);
}

unsigned ControlRings::punt(PuntKind kind, std::span<rte_mbuf*> packets) {
  return punted_[static_cast<std::size_t>(kind)].enqueue_burst(packets);
}

unsigned ControlRings::take_frames(unsigned worker, std::span<rte_mbuf*> into) {
  return transmit_[worker].dequeue_burst(into);
}

unsigned ControlRings::take_punted(std::span<rte_mbuf*> into) {
  unsigned taken = 0;
  std::size_t empty = 0;  // kinds in a row that had nothing
  while (taken < into.size() && empty < punted_.size()) {
    auto room = into.subspan(taken);
    room = room.first(std::min(room.size(), kQuantum));
    const unsigned got = punted_[turn_].dequeue_burst(room);
    turn_ = (turn_ + 1) % punted_.size();
    empty = got == 0 ? empty + 1 : 0;
    taken += got;
  }
  return taken;
}

unsigned ControlRings::punted_waiting() const {
  unsigned waiting = 0;
  for (const MbufRing& ring : punted_) waiting += ring.count();
  return waiting;
}

bool ControlRings::nothing_punted() const { return std::ranges::all_of(punted_, &MbufRing::empty); }

unsigned ControlRings::frames_waiting() const {
  unsigned waiting = 0;
  for (const MbufRing& ring : transmit_) waiting += ring.count();
  return waiting;
}

bool ControlRings::send_frame(unsigned worker, rte_mbuf* frame) {
  return transmit_[worker].enqueue_burst({&frame, 1}) == 1;
}

bool ControlRings::prepare_to_sleep() {
  bell_.announce_sleep();
  if (nothing_punted()) return true;
  bell_.end_sleep();
  return false;
}

}  // namespace magnetar
