// SPDX-License-Identifier: Apache-2.0
#include "dataplane/tables/replay_window.h"

namespace magnetar {
namespace {
constexpr auto kRelaxed = std::memory_order_relaxed;
}

// The ring holds whole words, so the word that `highest` is in leaves no room for a full window
// behind it: counters more than kSize - 64 behind may share a word with newer ones. They are the
// ones refused as too old.
ReplayWindow::ReplayWindow() { words_[0].store(0b111, kRelaxed); }

ReplayVerdict ReplayWindow::check(Counter counter) const {
  const std::uint64_t n = counter.raw();
  const std::uint64_t highest = highest_.load(kRelaxed);
  if (n > highest) return ReplayVerdict::kFresh;
  if (highest / 64 - n / 64 >= kWords) return ReplayVerdict::kTooOld;
  return (words_[word_of(n)].load(kRelaxed) & bit_of(n)) != 0 ? ReplayVerdict::kReplayed
                                                              : ReplayVerdict::kFresh;
}

ReplayVerdict ReplayWindow::commit(Counter counter) {
  const ReplayVerdict verdict = check(counter);
  if (verdict != ReplayVerdict::kFresh) return verdict;
  const std::uint64_t n = counter.raw();
  if (n > highest_.load(kRelaxed)) advance(n);
  std::atomic<std::uint64_t>& word = words_[word_of(n)];
  word.store(word.load(kRelaxed) | bit_of(n), kRelaxed);
  return ReplayVerdict::kFresh;
}

// Empties the words between the old and the new highest counter.
void ReplayWindow::advance(std::uint64_t to) {
  const std::uint64_t from_word = highest_.load(kRelaxed) / 64;
  const std::uint64_t to_word = to / 64;
  const std::uint64_t steps = to_word - from_word < kWords ? to_word - from_word : kWords;
  for (std::uint64_t i = 1; i <= steps; ++i) words_[(from_word + i) % kWords].store(0, kRelaxed);
  highest_.store(to, kRelaxed);
}

}  // namespace magnetar
