// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/units.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

namespace magnetar::cli {
namespace {

// 2^53: every whole number up to here is exact in a double, and far from the range of the casts.
constexpr double kLargest = 9007199254740992.0;

std::uint64_t whole(double value) {
  return std::isnan(value) ? 0 : static_cast<std::uint64_t>(std::clamp(value, 0.0, kLargest));
}

}  // namespace

std::string grouped(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string bytes(std::uint64_t number) {
  if (number < 1024) return grouped(number) + " B";
  constexpr std::array<std::string_view, 6> kUnits{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(number) / 1024;
  std::size_t unit = 0;
  // 1023.95 would be rounded to 1024.0 of the smaller unit.
  for (; value >= 1023.95 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string duration(double seconds) {
  const std::uint64_t s = whole(seconds);
  if (s < 60) return fmt::format("{}s", s);
  if (s < 3600) return fmt::format("{}m{:02}s", s / 60, s % 60);
  if (s < 86400) return fmt::format("{}h{:02}m", s / 3600, s % 3600 / 60);
  return fmt::format("{}d{:02}h", s / 86400, s % 86400 / 3600);
}

std::string rate(double per_second) {
  if (per_second >= 99.95) return grouped(whole(per_second + 0.5));
  if (per_second <= 0 || std::isnan(per_second)) return "0";
  return per_second < 0.1 ? "<0.1" : fmt::format("{:.1f}", per_second);
}

std::string percent(double ratio) { return fmt::format("{:.1f} %", ratio * 100); }

}  // namespace magnetar::cli
