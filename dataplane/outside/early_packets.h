// SPDX-License-Identifier: Apache-2.0
// Packets that came before their session: a peer's first data follows its stage 2 closely, and the
// control thread needs a moment for that. They wait with the worker that received them, in order,
// until the session is open or the attempt has ended. One worker's.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "dataplane/base/strong.h"
#include "dataplane/tables/session_table.h"

struct rte_mbuf;

namespace magnetar {

class EarlyPackets {
 public:
  static constexpr std::size_t kMost = 512;  // some milliseconds of one busy peer

  explicit EarlyPackets(const SessionTable& sessions) : sessions_(sessions) {}
  ~EarlyPackets();  // frees what still waits
  EarlyPackets(const EarlyPackets&) = delete;
  EarlyPackets& operator=(const EarlyPackets&) = delete;

  [[nodiscard]] bool empty() const { return size_ == 0; }
  // Whether a packet of this index waits: later ones must not overtake it.
  [[nodiscard]] bool holds(LocalIndex index) const { return size_ > 0 && finds(index); }
  // False: there is no room; the caller keeps the packet.
  [[nodiscard]] bool hold(rte_mbuf* mbuf, LocalIndex index);
  // Hands back, in order, packets whose index is no longer awaited, as many as there is room for.
  // Returns how many.
  [[nodiscard]] std::size_t release(std::span<rte_mbuf*> into);

 private:
  [[nodiscard]] bool finds(LocalIndex index) const;

  struct Waiting {
    rte_mbuf* mbuf;
    LocalIndex index;
  };
  const SessionTable& sessions_;
  std::array<Waiting, kMost> waiting_;
  std::size_t size_ = 0;
};

}  // namespace magnetar
