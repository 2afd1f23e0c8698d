// SPDX-License-Identifier: Apache-2.0
// Wall-clock times as operators and scripts read them. Any thread.
#pragma once

#include <string>

#include "dataplane/base/time.h"

namespace magnetar::ops {

// "2026-11-22T22:18:00Z". What lies outside the years 1970 to 9999 becomes their nearest second:
// certificates carry any 64-bit number.
[[nodiscard]] std::string rfc3339(double unix_s);
// "2026-11-22T22:18:00.123Z".
[[nodiscard]] std::string rfc3339_ms(WallTime time);

[[nodiscard]] inline double unix_seconds(WallTime time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

}  // namespace magnetar::ops
