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

// The ring holds whole words, so the word that `highest` is in leaves no room for a full window
// behind it: counters more than kSize - 64 behind may share a word with newer ones. They are the
// ones refused as too old.
//
// One committer at a time (the session's lock); check() may run beside it and is then a hint,
// which the commit decides again.
class ReplayWindow {
 public:
  static constexpr std::uint64_t kSize = 2048;  // counters behind the highest that are told apart

  ReplayWindow() { words_[0].store(0b111, std::memory_order_relaxed); }
  [[nodiscard]] ReplayVerdict check(Counter counter) const {
    const std::uint64_t n = counter.raw();
    const std::uint64_t highest = highest_.load(std::memory_order_relaxed);
    if (n > highest) return ReplayVerdict::kFresh;
    if (highest / 64 - n / 64 >= kWords) return ReplayVerdict::kTooOld;
    return (words_[word_of(n)].load(std::memory_order_relaxed) & bit_of(n)) != 0
               ? ReplayVerdict::kReplayed
               : ReplayVerdict::kFresh;
  }
  // kFresh: marked as received now.
  ReplayVerdict commit(Counter counter) {
    const std::uint64_t n = counter.raw();
    if (n > highest_.load(std::memory_order_relaxed)) {
      advance(n);
    } else if (const ReplayVerdict verdict = check(counter); verdict != ReplayVerdict::kFresh) {
      return verdict;
    }
    std::atomic<std::uint64_t>& word = words_[word_of(n)];
    word.store(word.load(std::memory_order_relaxed) | bit_of(n), std::memory_order_relaxed);
    return ReplayVerdict::kFresh;
  }
  // Commits in a row: the newest word stays in registers, or each would wait for the store of the
  // one before. The window is whole again when this ends.
  class Commits {
   public:
    explicit Commits(ReplayWindow& window) : window_(window) { take(window.highest().raw()); }
    ~Commits() { give_back(); }
    Commits(const Commits&) = delete;
    Commits& operator=(const Commits&) = delete;

    ReplayVerdict commit(Counter counter) {
      const std::uint64_t n = counter.raw();
      if (n / 64 != at_) [[unlikely]]
        return turn_to(n);
      if ((word_ & bit_of(n)) != 0) return ReplayVerdict::kReplayed;
      word_ |= bit_of(n);
      if (n > highest_) highest_ = n;
      return ReplayVerdict::kFresh;
    }

   private:
    void take(std::uint64_t n) {
      highest_ = window_.highest_.load(std::memory_order_relaxed);
      at_ = n / 64;
      word_ = window_.words_[word_of(n)].load(std::memory_order_relaxed);
    }
    void give_back() {
      window_.highest_.store(highest_, std::memory_order_relaxed);
      window_.words_[at_ % kWords].store(word_, std::memory_order_relaxed);
    }
    // Another word, which becomes the one at hand unless its counter is refused.
    ReplayVerdict turn_to(std::uint64_t n) {
      give_back();
      const ReplayVerdict verdict = window_.commit(Counter{n});
      take(verdict == ReplayVerdict::kFresh ? n : highest_);
      return verdict;
    }

    ReplayWindow& window_;
    std::uint64_t highest_ = 0;
    std::uint64_t at_ = 0;  // number of the word among all words
    std::uint64_t word_ = 0;
  };

  // What a commit of this counter will write to.
  [[nodiscard]] const void* place_of(Counter counter) const {
    return &words_[word_of(counter.raw())];
  }
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
  // Empties the words between the old and the new highest counter.
  void advance(std::uint64_t to) {
    const std::uint64_t from_word = highest_.load(std::memory_order_relaxed) / 64;
    const std::uint64_t to_word = to / 64;
    const std::uint64_t steps = to_word - from_word < kWords ? to_word - from_word : kWords;
    for (std::uint64_t i = 1; i <= steps; ++i)
      words_[(from_word + i) % kWords].store(0, std::memory_order_relaxed);
    highest_.store(to, std::memory_order_relaxed);
  }

  std::atomic<std::uint64_t> highest_{2};
  std::array<std::atomic<std::uint64_t>, kWords> words_{};
};

}  // namespace magnetar
