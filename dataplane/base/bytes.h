// SPDX-License-Identifier: Apache-2.0
// Bytes at the border: spans, big-endian loads and stores whose length is part of the type.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace magnetar {

using ByteView = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;
using Bytes = std::vector<std::byte>;

// Reads a big-endian number from exactly sizeof(T) bytes.
template <std::unsigned_integral T>
[[nodiscard]] constexpr T load_be(std::span<const std::byte, sizeof(T)> from) {
  T value = 0;
  for (const std::byte b : from) {
    if constexpr (sizeof(T) > 1) value = static_cast<T>(value << 8U);
    value = static_cast<T>(value | std::to_integer<T>(b));
  }
  return value;
}

// Writes a number big-endian into exactly sizeof(T) bytes.
template <std::unsigned_integral T>
constexpr void store_be(std::span<std::byte, sizeof(T)> to, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    to[i] = static_cast<std::byte>(value >> (8U * (sizeof(T) - 1 - i)));
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
