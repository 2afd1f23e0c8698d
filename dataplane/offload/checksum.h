// SPDX-License-Identifier: Apache-2.0
// The Internet checksum (RFC 1071). Sums are kept in memory's byte order, in which they are right
// whatever that order is; only single numbers have to be brought into it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dataplane/base/bytes.h"

namespace magnetar::offload {

// Of 16-bit words, not yet folded. Room for more than any packet.
using Sum = std::uint64_t;

// Of bytes that begin at an even place of what is summed; an odd last one counts as if a zero
// followed.
[[nodiscard]] Sum sum_of(ByteView bytes);
// The same while they are copied. `to` must not overlap.
[[nodiscard]] Sum copy_and_sum(std::byte* to, ByteView from);

// A 16-bit field of this value.
[[nodiscard]] constexpr Sum sum_of_field(std::uint16_t value) { return swap_bytes(value); }

// 16 bits, as they lie in memory. Never 0 unless all that was summed is 0.
[[nodiscard]] constexpr std::uint16_t fold(Sum sum) {
  sum = (sum & 0xffffffffU) + (sum >> 32U);
  sum = (sum & 0xffffU) + (sum >> 16U);
  sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>((sum & 0xffffU) + (sum >> 16U));
}

// A field as it lies in memory.
[[nodiscard]] inline std::uint16_t load_raw(const std::byte* from) {
  std::uint16_t value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}
inline void store_raw(std::byte* to, std::uint16_t value) {
  std::memcpy(to, &value, sizeof(value));
}

}  // namespace magnetar::offload
