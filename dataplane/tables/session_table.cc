// SPDX-License-Identifier: Apache-2.0
#include "dataplane/tables/session_table.h"

#include <bit>

#include "dataplane/base/check.h"

namespace magnetar {

SessionTable::SessionTable(std::uint32_t slots, Grace& grace)
    : mask_(slots - 1), slots_(slots), awaited_(slots), grace_(grace) {
  MAGNETAR_CHECK(std::has_single_bit(slots));
}

// The workers have stopped: nothing needs to wait any more.
SessionTable::~SessionTable() {
  for (std::atomic<const Session*>& slot : slots_) {
    const std::unique_ptr<const Session> session{slot.load()};
    if (session != nullptr) delete session->hot->remote.load();
  }
}

void SessionTable::await(LocalIndex index) {
  const std::uint32_t slot = index.raw() & mask_;
  MAGNETAR_CHECK(slots_[slot].load(std::memory_order_relaxed) == nullptr);
  awaited_[slot].store(index.raw(), std::memory_order_release);
}

void SessionTable::unawait(LocalIndex index) {
  if (is_awaited(index)) awaited_[index.raw() & mask_].store(0, std::memory_order_release);
}

void SessionTable::publish(std::unique_ptr<const Session> session) {
  std::atomic<const Session*>& slot = slots_[session->local.raw() & mask_];
  MAGNETAR_CHECK(slot.load(std::memory_order_relaxed) == nullptr);
  const LocalIndex index = session->local;
  slot.store(session.release(), std::memory_order_release);
  unawait(index);
}

void SessionTable::retire(LocalIndex index) {
  MAGNETAR_CHECK(find(index) != nullptr);
  std::unique_ptr<const Session> session{
      slots_[index.raw() & mask_].exchange(nullptr, std::memory_order_acq_rel)};
  // Workers that still hold the session may send with its remote until the grace period ends.
  std::unique_ptr<const Remote> remote{session->hot->remote.load(std::memory_order_relaxed)};
  retire(std::move(session), std::move(remote));
}

void SessionTable::move(const Session& session, std::unique_ptr<const Remote> remote) {
  session.hot->remote_key.store(wire::underlay_key(remote->addr), std::memory_order_relaxed);
  std::unique_ptr<const Remote> old{
      session.hot->remote.exchange(remote.release(), std::memory_order_acq_rel)};
  if (old != nullptr) retire(nullptr, std::move(old));
}

void SessionTable::retire(std::unique_ptr<const Session> session,
                          std::unique_ptr<const Remote> remote) {
  retired_.push_back({grace_.start(), std::move(session), std::move(remote)});
}

std::size_t SessionTable::reap() {
  while (!retired_.empty() && grace_.passed(retired_.front().token)) retired_.pop_front();
  return retired_.size();
}

}  // namespace magnetar
