// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/index_allocator.h"

#include <bit>
#include <numeric>

#include "dataplane/base/check.h"

namespace magnetar {
namespace {

struct Draw {
  std::uint32_t pick;
  std::uint32_t high_bits;
};

Draw draw(RandomSource& random) {
  std::array<std::byte, 8> bytes;
  random.fill(bytes);
  const std::span<const std::byte, 8> view(bytes);
  return {load_be<std::uint32_t>(view.first<4>()), load_be<std::uint32_t>(view.last<4>())};
}

}  // namespace

IndexAllocator::IndexAllocator(std::uint32_t slots) : mask_(slots - 1), free_(slots) {
  MAGNETAR_CHECK(std::has_single_bit(slots));
  std::iota(free_.begin(), free_.end(), 0U);
}

std::optional<LocalIndex> IndexAllocator::allocate(RandomSource& random) {
  if (free_.empty()) return std::nullopt;
  for (;;) {
    const auto [pick, high_bits] = draw(random);
    const auto at = static_cast<std::size_t>((std::uint64_t{pick} * free_.size()) >> 32U);
    const std::uint32_t index = (high_bits & ~mask_) | free_[at];
    if (index == 0) continue;  // means "unknown" on the wire
    free_[at] = free_.back();
    free_.pop_back();
    return LocalIndex{index};
  }
}

void IndexAllocator::release(LocalIndex index) {
  MAGNETAR_DCHECK(free_.size() <= mask_);
  free_.push_back(slot_of(index));
}

}  // namespace magnetar
