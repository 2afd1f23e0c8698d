// SPDX-License-Identifier: Apache-2.0
// What packets change of a session: counter, window, tallies. Lives outside the session object,
// survives its republication and is never given to a second key: a counter that restarts under
// the same key breaks the cipher.
//
// Workers come to a session by way of this: what they need of it before the cipher lies here as
// well, so that a packet of one session among thousands waits for few cache lines.
#pragma once

#include <atomic>
#include <cstdint>

#include <rte_spinlock.h>

#include "dataplane/base/huge_memory.h"
#include "dataplane/base/strong.h"
#include "dataplane/crypto/aead.h"
#include "dataplane/packet/session_groups.h"
#include "dataplane/tables/remote.h"
#include "dataplane/tables/replay_window.h"

namespace magnetar {

struct Session;

// Counters from here on are refused, so that racing reservations cannot wrap (wire.md 2.1).
inline constexpr std::uint64_t kSendCounterCeiling = ~0ULL - (1ULL << 40U);

// A line for each direction, the outer header, and the words of the window. What is not atomic is
// set when the session is published, and stays.
struct SessionHot : InSlab<SessionHot> {
  // Sending.
  alignas(64) std::atomic<std::uint64_t> send_counter{2};  // last one used; the handshake used 1, 2
  std::atomic<const Remote*> remote{nullptr};              // behind RCU
  std::uint64_t data_header = 0;  // header_prefix of a data packet to this peer
  const AeadKey* seal_key = nullptr;
  std::atomic<std::uint64_t> tx_bytes{0};          // of inner packets, by workers
  std::atomic<std::uint64_t> control_tx_bytes{0};  // of what the control thread sent
  std::atomic<std::uint64_t> tx_unsent{0};  // counters that were reserved, and no packet left
  GroupMark seal_mark{0};
  bool nearby_taken = false;  // control thread: `nearby` is in use, or workers may still read it
  // Where `remote` points to, most of the time: with its line beside the one that is read before it
  // the processor has it sooner (docs/performance.md).
  alignas(64) Remote nearby;

  // Receiving.
  alignas(64)
      rte_spinlock_t lock = RTE_SPINLOCK_INITIALIZER;  // of workers: rx_packets, rx_bytes, window
  std::atomic<bool> move_noticed{false};  // a kMoved notice is under way; the control thread clears
  GroupMark open_mark{0};
  LocalIndex local;
  const Session* session = nullptr;
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
  // `alone`: no other worker is there to count, so no locked instruction.
  void count_sent(std::uint64_t bytes, bool alone) {
    if (alone)
      tx_bytes.store(tx_bytes.load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
    else
      tx_bytes.fetch_add(bytes, std::memory_order_relaxed);
  }
  // With the lock held, or by the only worker: one writer, so no locked instruction.
  void count_received(std::uint64_t packets, std::uint64_t bytes) {
    rx_packets.store(rx_packets.load(std::memory_order_relaxed) + packets,
                     std::memory_order_relaxed);
    rx_bytes.store(rx_bytes.load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
  }
};

}  // namespace magnetar
