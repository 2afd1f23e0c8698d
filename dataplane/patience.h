// SPDX-License-Identifier: Apache-2.0
// How long a worker that finds nothing polls on before it sleeps.
#pragma once

#include <algorithm>
#include <cstdint>

namespace magnetar {

// A worker's own thread. To be woken costs what many packets cost, and in a virtual machine 20 to
// 40 us: so patience grows while packets come more often than kMost, and is short otherwise.
// As KVM's halt_poll_ns grows and shrinks, with the gap between packets as the measure.
class Patience {
 public:
  // A few times what it takes to be woken: the answer to what was just sent on finds us awake.
  static constexpr std::uint64_t kLeastUs = 100;
  // What comes less than 400 times a second may be woken for.
  static constexpr std::uint64_t kMostUs = 2'500;

  Patience(std::uint64_t ticks_per_second, std::uint64_t now)
      : least_(ticks_per_second / 1'000'000 * kLeastUs),
        most_(ticks_per_second / 1'000'000 * kMostUs),
        ticks_(least_),
        last_packet_(now) {}

  void packets_at(std::uint64_t now) {
    const std::uint64_t gap = now - last_packet_;
    last_packet_ = now;
    if (gap <= least_) return;
    ticks_ = gap <= most_ ? std::min(2 * ticks_, most_) : least_;
  }
  // Woken for nothing that receive() shows yet: polls on as long as after a packet.
  void woken_at(std::uint64_t now) { waits_since_ = now; }

  bool over(std::uint64_t now) const { return now - std::max(last_packet_, waits_since_) > ticks_; }

 private:
  std::uint64_t least_, most_, ticks_;
  std::uint64_t last_packet_;
  std::uint64_t waits_since_ = 0;
};

}  // namespace magnetar
