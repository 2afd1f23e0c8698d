// SPDX-License-Identifier: Apache-2.0
// Bytes at the border: spans, big-endian loads and stores whose length is part of the type.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace magnetar {

using ByteView = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;
using Bytes = std::vector<std::byte>;

// Between the byte orders of the network and of memory.
template <std::unsigned_integral T>
[[nodiscard]] constexpr T swap_bytes(T value) {
  if constexpr (std::endian::native == std::endian::big || sizeof(T) == 1) return value;
  if constexpr (sizeof(T) == 2) return __builtin_bswap16(value);
  if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
  if constexpr (sizeof(T) == 8) return __builtin_bswap64(value);
}

// Reads a big-endian number from exactly sizeof(T) bytes.
template <std::unsigned_integral T>
[[nodiscard]] constexpr T load_be(std::span<const std::byte, sizeof(T)> from) {
  T value = 0;
  if (!std::is_constant_evaluated()) {
    std::memcpy(&value, from.data(), sizeof(T));
    return swap_bytes(value);
  }
  for (const std::byte b : from) {
    if constexpr (sizeof(T) > 1) value = static_cast<T>(value << 8U);
    value = static_cast<T>(value | std::to_integer<T>(b));
  }
  return value;
}

// For parsers that have checked the length once: sizeof(T) bytes at `from`.
template <std::unsigned_integral T>
[[nodiscard]] constexpr T load_be_at(const std::byte* from) {
  return load_be<T>(std::span<const std::byte, sizeof(T)>(from, sizeof(T)));
}
// The byte at that place, which the caller knows to be there, as a number.
[[nodiscard]] constexpr std::uint8_t byte_at(const std::byte* from, std::size_t at) {
  return std::to_integer<std::uint8_t>(from[at]);
}
// Writes a number big-endian into exactly sizeof(T) bytes.
template <std::unsigned_integral T>
constexpr void store_be(std::span<std::byte, sizeof(T)> to, T value) {
  if (!std::is_constant_evaluated()) {
    value = swap_bytes(value);
    std::memcpy(to.data(), &value, sizeof(T));
    return;
  }
  for (std::size_t i = 0; i < sizeof(T); ++i)
    to[i] = static_cast<std::byte>(value >> (8U * (sizeof(T) - 1 - i)));
}

template <std::unsigned_integral T>
constexpr void store_be_at(std::byte* to, T value) {
  store_be<T>(std::span<std::byte, sizeof(T)>(to, sizeof(T)), value);
}

// The bytes of a text, unchanged.
[[nodiscard]] inline ByteView as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// For C libraries that take unsigned char.
[[nodiscard]] inline const std::uint8_t* u8(ByteView bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());  // NOLINT: std::byte aliases
}
[[nodiscard]] inline std::uint8_t* u8(MutableBytes bytes) {
  return reinterpret_cast<std::uint8_t*>(bytes.data());  // NOLINT: std::byte aliases
}

[[nodiscard]] inline Bytes to_vector(ByteView bytes) { return {bytes.begin(), bytes.end()}; }

inline void append(Bytes& to, ByteView bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

}  // namespace magnetar
