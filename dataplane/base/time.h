// SPDX-License-Identifier: Apache-2.0
// Time as types. No function here reads a clock: time comes in as an argument.
#pragma once

#include <chrono>
#include <cstdint>

namespace magnetar {

using Duration = std::chrono::nanoseconds;

// Monotonic; the origin is the machine's start (or the simulator's). Zero means "never".
struct SteadyTag {
  using duration = Duration;
  using rep = Duration::rep;
  using period = Duration::period;
  using time_point = std::chrono::time_point<SteadyTag, Duration>;
  static constexpr bool is_steady = true;
};
using Instant = std::chrono::time_point<SteadyTag, Duration>;

// Wall clock, UTC: certificates and the Time field of handshakes.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

// Both clocks read together, once an event.
struct Now {
  Instant steady;
  WallTime wall;
};

}  // namespace magnetar
