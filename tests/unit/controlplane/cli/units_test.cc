// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/units.h"

#include <cstdint>
#include <limits>
#include <utility>

#include <gtest/gtest.h>

namespace magnetar::cli {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Units, GroupsThousands) {
  for (const auto& [number, expected] : {std::pair<std::uint64_t, const char*>{0, "0"},
                                         {999, "999"},
                                         {1000, "1,000"},
                                         {12345678, "12,345,678"},
                                         {123456, "123,456"},
                                         {kMax, "18,446,744,073,709,551,615"}})
    EXPECT_EQ(grouped(number), expected);
}

TEST(Units, ScalesBytes) {
  for (const auto& [number, expected] : {std::pair<std::uint64_t, const char*>{0, "0 B"},
                                         {1023, "1,023 B"},
                                         {1024, "1.0 KiB"},
                                         {1536, "1.5 KiB"},
                                         {1048575, "1.0 MiB"},
                                         {13207024435, "12.3 GiB"},
                                         {kMax, "16.0 EiB"}})
    EXPECT_EQ(bytes(number), expected);
}

TEST(Units, ShowsTheTwoLargestUnitsOfADuration) {
  for (const auto& [seconds, expected] : {std::pair<double, const char*>{0, "0s"},
                                          {59.9, "59s"},
                                          {60, "1m00s"},
                                          {185, "3m05s"},
                                          {3599, "59m59s"},
                                          {11520, "3h12m"},
                                          {86399, "23h59m"},
                                          {446400, "5d04h"},
                                          {-5, "0s"},
                                          {kNan, "0s"},
                                          {kInfinity, "104249991374d07h"}})
    EXPECT_EQ(duration(seconds), expected);
}

TEST(Units, KeepsOnlyDigitsThatMatter) {
  for (const auto& [value, expected] : {std::pair<double, const char*>{0, "0"},
                                        {0.04, "<0.1"},
                                        {0.25, "0.2"},
                                        {12.34, "12.3"},
                                        {99.94, "99.9"},
                                        {99.96, "100"},
                                        {1234.4, "1,234"},
                                        {-1, "0"},
                                        {kNan, "0"}})
    EXPECT_EQ(rate(value), expected);
  EXPECT_EQ(percent(0.1234), "12.3 %");
}

}  // namespace
}  // namespace magnetar::cli
