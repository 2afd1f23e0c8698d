// SPDX-License-Identifier: Apache-2.0
// Numbers that must not be mixed up get types of their own.
#pragma once

#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace magnetar {

template <typename Tag, std::unsigned_integral Rep>
class Strong {
 public:
  using rep = Rep;
  constexpr Strong() = default;
  constexpr explicit Strong(Rep value) : value_(value) {}
  [[nodiscard]] constexpr Rep raw() const { return value_; }
  friend constexpr auto operator<=>(Strong, Strong) = default;

 private:
  Rep value_ = 0;
};

// Chosen by us; arrives in the header of received packets (protocol/wire.md 1.2). 0: none.
using LocalIndex = Strong<struct LocalIndexTag, std::uint32_t>;
// Chosen by the peer; goes into the header of packets we send. 0: unknown.
using RemoteIndex = Strong<struct RemoteIndexTag, std::uint32_t>;
// Message counter: AEAD nonce input, never reused under one key (protocol/wire.md 2.1).
using Counter = Strong<struct CounterTag, std::uint64_t>;

}  // namespace magnetar

template <typename Tag, typename Rep>
struct std::hash<magnetar::Strong<Tag, Rep>> {
  std::size_t operator()(magnetar::Strong<Tag, Rep> value) const noexcept {
    return std::hash<Rep>{}(value.raw());
  }
};
