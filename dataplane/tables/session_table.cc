// SPDX-License-Identifier: Apache-2.0
#include "dataplane/tables/session_table.h"

#include <bit>

#include "dataplane/base/check.h"
#include "dataplane/crypto/nonce.h"
#include "dataplane/wire/header.h"

namespace magnetar {

SessionTable::SessionTable(std::uint32_t slots, Grace& grace)
    : mask_(slots - 1), slots_(slots), awaited_(slots), grace_(grace) {
  MAGNETAR_CHECK(std::has_single_bit(slots));
}

// The workers have stopped: nothing needs to wait any more.
SessionTable::~SessionTable() {
  for (const std::atomic<SessionHot*>& slot : slots_) {
    const SessionHot* hot = slot.load();
    if (hot == nullptr) continue;
    const std::unique_ptr<const Remote> remote{hot->remote.load()};
    const std::unique_ptr<const Session> session{hot->session};  // which owns what is hot of it
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
  SessionHot& hot = *session->hot;
  std::atomic<SessionHot*>& slot = slots_[session->local.raw() & mask_];
  MAGNETAR_CHECK(slot.load(std::memory_order_relaxed) == nullptr);
  hot.local = session->local;
  hot.data_header = header_prefix(wire::first_byte(wire::MessageType::kMessage), wire::kSubtypeNone,
                                  session->remote_index.raw());
  hot.seal_key = &session->seal_key;
  hot.session = session.release();
  slot.store(&hot, std::memory_order_release);
  unawait(hot.local);
}

void SessionTable::retire(LocalIndex index) {
  MAGNETAR_CHECK(find(index) != nullptr);
  const SessionHot& hot = *slots_[index.raw() & mask_].exchange(nullptr, std::memory_order_acq_rel);
  std::unique_ptr<const Session> session{hot.session};
  // Workers that still hold the session may send with its remote until the grace period ends.
  std::unique_ptr<const Remote> remote{hot.remote.load(std::memory_order_relaxed)};
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
