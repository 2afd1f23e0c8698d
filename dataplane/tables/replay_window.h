// SPDX-License-Identifier: Apache-2.0
// Sliding window over received counters (protocol/handshake.md section 13). Counters 0, 1 and 2
// count as received: the handshake used them. Check before opening, commit after it; only
// authentic packets move the window.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "dataplane/base/strong.h"

namespace magnetar {

enum class ReplayVerdict : std::uint8_t { kFresh, kReplayed, kTooOld };

// One committer at a time (the session's lock); check() may run beside it and is then a hint,
// which the commit decides again.
class ReplayWindow {
 public:
  static constexpr std::uint64_t kSize = 2048;  // counters behind the highest that are told apart

  ReplayWindow();
  [[nodiscard]] ReplayVerdict check(Counter counter) const;
  // kFresh: marked as received now.
  ReplayVerdict commit(Counter counter);
  [[nodiscard]] Counter highest() const {
    return Counter{highest_.load(std::memory_order_relaxed)};
  }

 private:
  static constexpr std::uint64_t kWords = kSize / 64;
  [[nodiscard]] static std::size_t word_of(std::uint64_t counter) {
    return (counter / 64) % kWords;
  }
  [[nodiscard]] static std::uint64_t bit_of(std::uint64_t counter) {
    return 1ULL << (counter % 64);
  }
  void advance(std::uint64_t to);

  std::atomic<std::uint64_t> highest_{2};
  std::array<std::atomic<std::uint64_t>, kWords> words_{};
};

}  // namespace magnetar
