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
  retired_.clear();  // some of it lies in sessions
  for (const std::atomic<SessionHot*>& slot : slots_) {
    SessionHot* const hot = slot.load();
    if (hot == nullptr) continue;
    const std::unique_ptr<const Session> session{hot->session};  // which owns what is hot of it
    const OwnedRemote remote(hot->remote.load(), {hot});
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
  hot.remote = settle(hot, std::unique_ptr<const Remote>(hot.remote.load()));
  hot.data_header = header_prefix(wire::first_byte(wire::MessageType::kMessage), wire::kSubtypeNone,
                                  session->remote_index.raw());
  hot.seal_key = &session->seal_key;
  hot.session = session.release();
  slot.store(&hot, std::memory_order_release);
  unawait(hot.local);
}

void SessionTable::retire(LocalIndex index) {
  MAGNETAR_CHECK(find(index) != nullptr);
  SessionHot& hot = *slots_[index.raw() & mask_].exchange(nullptr, std::memory_order_acq_rel);
  std::unique_ptr<const Session> session{hot.session};
  // Workers that still hold the session may send with its remote until the grace period ends.
  retire(std::move(session), OwnedRemote(hot.remote.load(std::memory_order_relaxed), {&hot}));
}

void SessionTable::move(const Session& session, std::unique_ptr<const Remote> remote) {
  SessionHot& hot = *session.hot;
  hot.remote_key.store(wire::underlay_key(remote->addr), std::memory_order_relaxed);
  const Remote* const settled = settle(hot, std::move(remote));
  OwnedRemote old(hot.remote.exchange(settled, std::memory_order_acq_rel), {&hot});
  if (old != nullptr) retire(nullptr, std::move(old));
}

const Remote* SessionTable::settle(SessionHot& hot, std::unique_ptr<const Remote> remote) {
  if (remote == nullptr || hot.nearby_taken) return remote.release();
  hot.nearby = *remote;
  hot.nearby_taken = true;
  return &hot.nearby;
}

void SessionTable::RemoteDeleter::operator()(const Remote* remote) const {
  if (remote == &hot->nearby)
    hot->nearby_taken = false;
  else
    delete remote;
}

void SessionTable::retire(std::unique_ptr<const Session> session, OwnedRemote remote) {
  retired_.push_back({grace_.start(), std::move(session), std::move(remote)});
}

std::size_t SessionTable::reap() {
  while (!retired_.empty() && grace_.passed(retired_.front().token)) retired_.pop_front();
  return retired_.size();
}

}  // namespace magnetar
