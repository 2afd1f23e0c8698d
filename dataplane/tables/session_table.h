// SPDX-License-Identifier: Apache-2.0
// Published sessions by the index we gave them. The slot is the low part of the index, so a look-up
// is one array read and one compare, and the rest of the index keeps it as hard to guess as 32
// random bits.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>

#include <rte_prefetch.h>

#include "dataplane/tables/grace.h"
#include "dataplane/tables/session.h"

namespace magnetar {

class SessionTable {
 public:
  // `slots`: a power of two. `grace` must outlive this object.
  SessionTable(std::uint32_t slots, Grace& grace);
  ~SessionTable();
  SessionTable(const SessionTable&) = delete;
  SessionTable& operator=(const SessionTable&) = delete;

  [[nodiscard]] std::uint32_t slots() const { return mask_ + 1; }
  [[nodiscard]] std::uint32_t slot_of(LocalIndex index) const { return index.raw() & mask_; }
  // Any thread; valid until the worker is quiescent (control thread: until it retires it).
  [[nodiscard]] const Session* find(LocalIndex index) const {
    const SessionHot* hot = take(index);
    return hot != nullptr && hot->local == index ? hot->session : nullptr;
  }

  // Whether a session under this index is about to come. When this says no, find() knows of the
  // session if it came. Any thread.
  [[nodiscard]] bool is_awaited(LocalIndex index) const {
    const std::uint32_t awaited = awaited_[index.raw() & mask_].load(std::memory_order_acquire);
    return awaited != 0 && awaited == index.raw();
  }
  // find() in steps, for a burst: touch all, then take all, then compare all. What take() returns
  // is of another index, or none, where find() would return none.
  void prefetch(LocalIndex index) const { rte_prefetch0(&slots_[index.raw() & mask_]); }
  [[nodiscard]] SessionHot* take(LocalIndex index) const {
    return slots_[index.raw() & mask_].load(std::memory_order_acquire);
  }

  // Control thread. The slot of this index must be empty.
  void await(LocalIndex index);
  void unawait(LocalIndex index);
  // The same; the session is no longer awaited. Its remote is set.
  void publish(std::unique_ptr<const Session> session);
  // Takes the session out of the table; it is freed, and its keys wiped, by a later reap().
  void retire(LocalIndex index);
  // Replaces where the session sends to. The old Remote is freed by a later reap().
  void move(const Session& session, std::unique_ptr<const Remote> remote);
  // Every published session; `visit` may move the one it is given.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (const std::atomic<SessionHot*>& slot : slots_)
      if (const SessionHot* hot = slot.load(std::memory_order_relaxed)) visit(*hot->session);
  }
  // Frees what every worker has let go of. Never waits. Returns how many objects still wait.
  std::size_t reap();

 private:
  // A remote lies in its session, which must outlive it then, or on its own.
  struct RemoteDeleter {
    SessionHot* hot;
    void operator()(const Remote* remote) const;
  };
  using OwnedRemote = std::unique_ptr<const Remote, RemoteDeleter>;
  struct Retired {
    Grace::Token token;
    std::unique_ptr<const Session> session;
    OwnedRemote remote;  // goes first
  };
  // Where the remote lies from now on: in the session if there is room.
  static const Remote* settle(SessionHot& hot, std::unique_ptr<const Remote> remote);
  void retire(std::unique_ptr<const Session> session, OwnedRemote remote);

  std::uint32_t mask_;
  HugeArray<std::atomic<SessionHot*>> slots_;
  std::vector<std::atomic<std::uint32_t>> awaited_;  // by slot; 0, no session's index: none is
  Grace& grace_;
  std::deque<Retired> retired_;  // oldest first
};

}  // namespace magnetar
