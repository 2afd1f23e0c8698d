// SPDX-License-Identifier: Apache-2.0
// What packets change of a session: counter, window, tallies. Lives outside the session object,
// survives its republication and is never given to a second key: a counter that restarts under
// the same key breaks the cipher.
#pragma once

#include <atomic>
#include <cstdint>

#include <rte_spinlock.h>

#include "dataplane/base/huge_memory.h"
#include "dataplane/base/strong.h"
#include "dataplane/tables/remote.h"
#include "dataplane/tables/replay_window.h"

namespace magnetar {

// Counters from here on are refused, so that racing reservations cannot wrap (wire.md 2.1).
inline constexpr std::uint64_t kSendCounterCeiling = ~0ULL - (1ULL << 40U);

// A line for each direction, and the words of the window.
struct SessionHot : InSlab<SessionHot> {
  // Sending.
  alignas(64) std::atomic<std::uint64_t> send_counter{2};  // last one used; the handshake used 1, 2
  std::atomic<const Remote*> remote{nullptr};              // behind RCU
  std::atomic<std::uint64_t> tx_bytes{0};                  // of inner packets and message bodies
  std::atomic<std::uint64_t> tx_unsent{0};  // counters that were reserved, and no packet left

  // Receiving.
  alignas(64) rte_spinlock_t lock = RTE_SPINLOCK_INITIALIZER;  // guards all but the next two
  std::atomic<bool> move_noticed{false};  // a kMoved notice is under way; the control thread clears
  std::atomic<std::uint64_t> remote_key{0};  // wire::underlay_key of the remote
  std::atomic<std::uint64_t> rx_packets{0};
  std::atomic<std::uint64_t> rx_bytes{0};
  ReplayWindow window;

  // The first of `count` counters that are the caller's alone.
  [[nodiscard]] std::uint64_t reserve(std::uint64_t count) {
    return send_counter.fetch_add(count, std::memory_order_relaxed) + 1;
  }
  // Every counter is a packet: a tally of its own would be one more locked instruction a session
  // and burst.
  [[nodiscard]] std::uint64_t tx_packets() const {
    return send_counter.load(std::memory_order_relaxed) - 2 -
           tx_unsent.load(std::memory_order_relaxed);
  }
  // With the lock held: one writer, so no locked instruction.
  void count_received(std::uint64_t packets, std::uint64_t bytes) {
    rx_packets.store(rx_packets.load(std::memory_order_relaxed) + packets,
                     std::memory_order_relaxed);
    rx_bytes.store(rx_bytes.load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
  }
};

}  // namespace magnetar
