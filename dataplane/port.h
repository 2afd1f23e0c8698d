// SPDX-License-Identifier: Apache-2.0
// What the data plane needs of a device: queues of mbufs. Implemented in drivers/.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

struct rte_mbuf;

namespace magnetar {

// One receive queue of a port and the way to transmit on it, as one worker sees them. Called once
// a burst, by that worker only. Outside: whole Ethernet frames. Inside: bare IP packets.
class PortQueue {
 public:
  virtual ~PortQueue() = default;
  // Fills the front of `into`; returns how many. The caller owns the mbufs. Each has at least 128
  // bytes of headroom and 64 of tailroom, and is one contiguous segment.
  virtual std::uint16_t receive(std::span<rte_mbuf*> into) = 0;
  // Before transmit(): makes packets ready for the port, and settles and counts those that cannot
  // leave by it. Returns how many can, which are in front then.
  virtual std::uint16_t prepare(std::span<rte_mbuf*> packets) {
    return static_cast<std::uint16_t>(packets.size());
  }
  // The same of packets that begin here, instead of passing: errors about others.
  virtual std::uint16_t prepare_own(std::span<rte_mbuf*> packets) {
    return static_cast<std::uint16_t>(packets.size());
  }
  // Takes packets; returns how many. The caller keeps the others, which are behind those then.
  virtual std::uint16_t transmit(std::span<rte_mbuf*> packets) = 0;

  // What a worker that wants to sleep waits for: readable while receive() has something to give,
  // or soon will have. None: this port has to be polled.
  [[nodiscard]] virtual std::optional<int> readable_fd() const { return std::nullopt; }

  // Around each such sleep: arm(), then receive() once more, as what came before may not show on
  // the descriptor; then the wait and disarm(). arm() returns the longest that the wait may be, in
  // milliseconds: 0 if the port cannot be waited for now.
  static constexpr int kNoLimit = -1;
  virtual int arm() { return kNoLimit; }
  virtual void disarm() {}
};

}  // namespace magnetar
