// SPDX-License-Identifier: Apache-2.0
// Cache lines asked for ahead of their use.
#pragma once

#include <cstddef>

namespace magnetar {

// Not __builtin_prefetch: g++ takes a function that only prefetches for one without effects, and
// drops the calls.
inline void prefetch(const void* line) {
  asm volatile("prefetcht0 %0" : : "m"(*static_cast<const char*>(line)));
}

inline void prefetch(const std::byte* from, std::size_t size) {
  for (std::size_t at = 0; at < size; at += 64) prefetch(from + at);
}

}  // namespace magnetar
