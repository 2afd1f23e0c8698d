// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/cert/values.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace magnetar::cli::cert {
namespace {

using namespace std::chrono_literals;

TEST(CertValues, ReadsDurationsAsGoDoes) {
  struct Row {
    const char* text;
    Duration duration;
  };
  const Row rows[] = {
      {"0", 0s},
      {"0s", 0s},
      {"8760h0m0s", 8760h},
      {"1h30m", 90min},
      {"+5m", 5min},
      {"1.5h", 90min},
      {".5s", 500ms},
      {"2.s", 2s},
      {"90s", 90s},
      {"1h1h", 2h},
      {"3ms4us5ns", 3ms + 4us + 5ns},
      {"7\u00b5s", 7us},
      {"7\u03bcs", 7us},
      {"1.9ns", 1ns},
      {"9223372036854775806ns", Duration(9223372036854775806)},
  };
  for (const auto& [text, duration] : rows) {
    SCOPED_TRACE(text);
    const auto read = duration_of("duration", text);
    ASSERT_TRUE(read) << read.error().text;
    EXPECT_EQ(*read, duration);
  }
}

TEST(CertValues, RefusesWhatIsNoDuration) {
  struct Row {
    const char* text;
    const char* says;
  };
  const Row rows[] = {
      {"", "no duration"},   {"abc", "no duration"},         {"5", "no duration"},
      {"h", "no duration"},  {"5d", "no duration"},          {"1h 30m", "no duration"},
      {".h", "no duration"}, {"1..5h", "no duration"},       {"1h-5m", "no duration"},
      {"+", "no duration"},  {"1e3h", "no duration"},        {"0x1h", "no duration"},
      {"-5h", "negative"},   {"9999999h", "than 292 years"}, {"99999999999999999999s", "292"},
  };
  for (const auto& [text, says] : rows) {
    SCOPED_TRACE(text);
    const auto read = duration_of("duration", text);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().kind, Problem::Kind::kUsage);
    EXPECT_TRUE(read.error().text.starts_with("-duration")) << read.error().text;
    EXPECT_NE(read.error().text.find(says), std::string::npos) << read.error().text;
  }
}

TEST(CertValues, SplitsLists) {
  using List = std::vector<std::string>;
  EXPECT_EQ(list_of(""), List{});
  EXPECT_EQ(list_of(" , ,"), List{});
  EXPECT_EQ(list_of("a"), List{"a"});
  EXPECT_EQ(list_of(" a ,\tb,, c d "), (List{"a", "b", "c d"}));
}

TEST(CertValues, ReadsNetworksWithTheirHostBits) {
  const auto read = networks_of("networks", "10.42.0.1/16, fd00::1/64,,192.0.2.7/32");
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), 3U);
  EXPECT_EQ((*read)[0].to_string(), "10.42.0.1/16");
  EXPECT_EQ((*read)[1].to_string(), "fd00::1/64");
  EXPECT_EQ((*read)[2].to_string(), "192.0.2.7/32");
  for (const char* bad : {"10.0.0.1", "10.0.0.1/33", "fd00::/129", "10.0.0.1/", "x/8", "10.0.0/8",
                          "::ffff:10.0.0.1/24", "fe80::1%eth0/64", "10.0.0.1/8,nonsense"}) {
    SCOPED_TRACE(bad);
    const auto refused = networks_of("unsafe-networks", bad);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().text.starts_with("-unsafe-networks: '")) << refused.error().text;
  }
}

TEST(CertValues, KnowsTheNamesOfCurves) {
  for (const char* name : {"25519", "X25519", "Curve25519", "CURVE25519"})
    EXPECT_EQ(curve_of(name).value(), Curve::k25519) << name;
  EXPECT_EQ(curve_of("P256").value(), Curve::kP256);
  for (const char* name : {"", "p256", "P384", "25519 "}) EXPECT_FALSE(curve_of(name)) << name;
}

TEST(CertValues, KeepsNumbersWithinTheirBounds) {
  EXPECT_EQ(number_of("n", "1", 1, 2).value(), 1U);
  EXPECT_EQ(number_of("n", "4294967295", 1, 4294967295U).value(), 4294967295U);
  for (const char* bad : {"", "0", "3", "-1", "1x", " 1", "4294967297", "99999999999999999999"})
    EXPECT_FALSE(number_of("n", bad, 1, 2)) << bad;
}

TEST(CertValues, ValidityIsInFullSecondsAndEndsWithinTheClock) {
  const WallTime now{1790000000s + 700ms};
  const auto validity = validity_from(now, 1s + 400ms);
  ASSERT_TRUE(validity);
  EXPECT_EQ(validity->not_before, WallTime{1790000000s});
  EXPECT_EQ(validity->not_after, WallTime{1790000002s}) << "the sum is cut, not its parts";
  EXPECT_FALSE(validity_from(now, Duration::max()));
}

}  // namespace
}  // namespace magnetar::cli::cert
