// SPDX-License-Identifier: Apache-2.0
#include "dataplane/offload/checksum.h"

namespace magnetar::offload {
namespace {

// Written for the compiler to make vectors of: those of whichever function it ends up in.
template <bool kCopy>
[[gnu::always_inline]] inline Sum walk(std::byte* __restrict to, const std::byte* __restrict from,
                                       std::size_t size) {
  Sum sum = 0;
  std::size_t i = 0;
  for (const std::size_t whole = size & ~std::size_t{3}; i < whole; i += 4) {
    std::uint32_t word;
    std::memcpy(&word, from + i, sizeof(word));
    if constexpr (kCopy) std::memcpy(to + i, &word, sizeof(word));
    sum += word;
  }
  if (i == size) return sum;
  std::uint32_t last = 0;
  std::memcpy(&last, from + i, size - i);
  if constexpr (kCopy) std::memcpy(to + i, &last, size - i);
  return sum + last;
}

#if defined(__x86_64__)
template <bool kCopy>
[[gnu::target("avx2")]] Sum walk_wide(std::byte* to, const std::byte* from, std::size_t size) {
  return walk<kCopy>(to, from, size);
}
const bool kWide = __builtin_cpu_supports("avx2") != 0;
#endif

template <bool kCopy>
Sum walk_best(std::byte* to, ByteView from) {
#if defined(__x86_64__)
  if (kWide) return walk_wide<kCopy>(to, from.data(), from.size());
#endif
  return walk<kCopy>(to, from.data(), from.size());
}

}  // namespace

Sum sum_of(ByteView bytes) { return walk_best<false>(nullptr, bytes); }
Sum copy_and_sum(std::byte* to, ByteView from) { return walk_best<true>(to, from); }

}  // namespace magnetar::offload
