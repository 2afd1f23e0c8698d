// SPDX-License-Identifier: Apache-2.0
#include "controlplane/ops/time_text.h"

#include <limits>

#include <gtest/gtest.h>

namespace magnetar::ops {
namespace {

TEST(TimeText, WritesSecondsInUtc) {
  struct Row {
    const char* why;
    double unix_s;
    const char* expected;
  };
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const Row rows[] = {
      {"epoch", 0, "1970-01-01T00:00:00Z"},
      {"fractions are cut", 1795385880.9, "2026-11-22T22:18:00Z"},
      {"leap day", 1709164800, "2024-02-29T00:00:00Z"},
      {"before the epoch", -5, "1970-01-01T00:00:00Z"},
      {"largest number a certificate may hold", 18446744073709551615.0, "9999-12-31T23:59:59Z"},
      {"no number", std::numeric_limits<double>::quiet_NaN(), "1970-01-01T00:00:00Z"},
      {"infinity", kInfinity, "9999-12-31T23:59:59Z"},
  };
  for (const auto& [why, unix_s, expected] : rows) {
    SCOPED_TRACE(why);
    EXPECT_EQ(rfc3339(unix_s), expected);
  }
}

TEST(TimeText, WritesMillisecondsForTheLog) {
  const WallTime time{std::chrono::milliseconds(1795385880007)};
  EXPECT_EQ(rfc3339_ms(time), "2026-11-22T22:18:00.007Z");
  EXPECT_EQ(rfc3339_ms(time + std::chrono::microseconds(999)), "2026-11-22T22:18:00.007Z");
}

}  // namespace
}  // namespace magnetar::ops
