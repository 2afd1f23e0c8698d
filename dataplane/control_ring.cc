// SPDX-License-Identifier: Apache-2.0
#include "dataplane/control_ring.h"

#include <algorithm>
#include <array>
#include <string>

#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/base/check.h"

namespace magnetar {
namespace {

// So many of one kind before the next has its turn.
constexpr std::size_t kQuantum = 8;

rte_ring* make_ring(const std::string& name, unsigned size, unsigned flags) {
  static std::atomic<unsigned> instances{0};  // DPDK wants names that differ
  const std::string full = "magnetar_" + name + "_" + std::to_string(instances++);
  rte_ring* ring = rte_ring_create(full.c_str(), size, static_cast<int>(rte_socket_id()), flags);
  MAGNETAR_CHECK(ring != nullptr);
  return ring;
}

void drain_and_free(rte_ring* ring) {
  void* mbuf = nullptr;
  while (rte_ring_dequeue(ring, &mbuf) == 0) rte_pktmbuf_free(static_cast<rte_mbuf*>(mbuf));
  rte_ring_free(ring);
}

void** as_objects(std::span<rte_mbuf*> packets) {
  return reinterpret_cast<void**>(packets.data());  // NOLINT: rte_ring's element type
}

}  // namespace

ControlRings::ControlRings(unsigned workers, unsigned punt_size, unsigned transmit_size)
    : wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  MAGNETAR_CHECK(wake_fd_ >= 0);
  for (rte_ring*& ring : punted_) ring = make_ring("punt", punt_size, RING_F_SC_DEQ);
  for (unsigned i = 0; i < workers; ++i)
    transmit_.push_back(make_ring("transmit", transmit_size, RING_F_SP_ENQ | RING_F_SC_DEQ));
}

ControlRings::~ControlRings() {
  for (rte_ring* ring : punted_) drain_and_free(ring);
  for (rte_ring* ring : transmit_) drain_and_free(ring);
  close(wake_fd_);
}

unsigned ControlRings::punt(PuntKind kind, std::span<rte_mbuf*> packets) {
  rte_ring* const ring = punted_[static_cast<std::size_t>(kind)];
  const auto size = static_cast<unsigned>(packets.size());
  const unsigned taken = rte_ring_mp_enqueue_burst(ring, as_objects(packets), size, nullptr);
  // Pairs with prepare_to_sleep(): of the two exchanges one comes second and sees what the other
  // side did before its own: either we see that it sleeps, or it sees our packets.
  if (taken > 0 && asleep_.exchange(false)) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof(one));
  }
  return taken;
}

unsigned ControlRings::take_frames(unsigned worker, std::span<rte_mbuf*> into) {
  return rte_ring_sc_dequeue_burst(transmit_[worker], as_objects(into),
                                   static_cast<unsigned>(into.size()), nullptr);
}

unsigned ControlRings::take_punted(std::span<rte_mbuf*> into) {
  unsigned taken = 0;
  std::size_t empty = 0;  // kinds in a row that had nothing
  while (taken < into.size() && empty < punted_.size()) {
    auto room = into.subspan(taken);
    room = room.first(std::min(room.size(), kQuantum));
    const unsigned got = rte_ring_sc_dequeue_burst(punted_[turn_], as_objects(room),
                                                   static_cast<unsigned>(room.size()), nullptr);
    turn_ = (turn_ + 1) % punted_.size();
    empty = got == 0 ? empty + 1 : 0;
    taken += got;
  }
  return taken;
}

unsigned ControlRings::punted_waiting() const {
  unsigned waiting = 0;
  for (const rte_ring* ring : punted_) waiting += rte_ring_count(ring);
  return waiting;
}

bool ControlRings::nothing_punted() const {
  return std::ranges::all_of(punted_, [](const rte_ring* ring) { return rte_ring_empty(ring); });
}

unsigned ControlRings::frames_waiting() const {
  unsigned waiting = 0;
  for (const rte_ring* ring : transmit_) waiting += rte_ring_count(ring);
  return waiting;
}

bool ControlRings::send_frame(unsigned worker, rte_mbuf* frame) {
  return rte_ring_sp_enqueue(transmit_[worker], frame) == 0;
}

bool ControlRings::prepare_to_sleep() {
  asleep_.exchange(true);
  if (nothing_punted()) return true;
  asleep_.store(false);
  return false;
}

void ControlRings::woken() {
  asleep_.store(false);
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = read(wake_fd_, &count, sizeof(count));
}

}  // namespace magnetar
