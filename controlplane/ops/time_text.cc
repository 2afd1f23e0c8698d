// SPDX-License-Identifier: Apache-2.0
#include "controlplane/ops/time_text.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace magnetar::ops {
namespace {

constexpr double kEndOfYear9999 = 253402300799;

std::string date_and_time(double unix_s) {
  // NaN compares false with everything and must not reach the cast either.
  const double limited = std::isnan(unix_s) ? 0 : std::clamp(unix_s, 0.0, kEndOfYear9999);
  return fmt::format("{:%FT%T}", fmt::gmtime(static_cast<std::time_t>(limited)));
}

}  // namespace

std::string rfc3339(double unix_s) { return date_and_time(unix_s) + "Z"; }

std::string rfc3339_ms(WallTime time) {
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(time).time_since_epoch().count();
  const std::int64_t whole = std::max<std::int64_t>(ms, 0);
  return fmt::format("{}.{:03}Z", date_and_time(static_cast<double>(whole / 1000)), whole % 1000);
}

}  // namespace magnetar::ops
