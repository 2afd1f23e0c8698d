// SPDX-License-Identifier: Apache-2.0
// Local indexes: the low bits are the slot of the session table, the others are random, so that
// the whole index is as hard to guess as 32 random bits. Control thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/base/strong.h"

namespace magnetar {

class IndexAllocator {
 public:
  // `slots` is a power of two.
  explicit IndexAllocator(std::uint32_t slots);

  // A random index on a random free slot; none when all are taken. Never 0.
  [[nodiscard]] std::optional<LocalIndex> allocate(RandomSource& random);
  // `index` came from allocate() and was not released since.
  void release(LocalIndex index);

  [[nodiscard]] std::size_t free_slots() const { return free_.size(); }
  [[nodiscard]] std::uint32_t slot_of(LocalIndex index) const { return index.raw() & mask_; }

 private:
  std::uint32_t mask_;
  std::vector<std::uint32_t> free_;  // in no order: the pick is random, the last fills its place
};

}  // namespace magnetar
