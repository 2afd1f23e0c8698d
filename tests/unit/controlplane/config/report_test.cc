// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/report.h"

#include <gtest/gtest.h>

namespace magnetar::config {
namespace {

TEST(Report, WritesTheFormOfTheContract) {
  const Diagnostic error{"m.toml", 3, 7, Severity::kError, "outside.port", "is missing"};
  EXPECT_EQ(error.to_string(), "m.toml:3:7: error: outside.port: is missing");
  const Diagnostic warning{"m.toml", 1, 1, Severity::kWarning, "pki.key", "is open"};
  EXPECT_EQ(warning.to_string(), "m.toml:1:1: warning: pki.key: is open");
}

TEST(Report, ListsInTheOrderOfTheFile) {
  Report report("m.toml");
  report.error({9, 1}, "c", "");
  report.warning({2, 5}, "b", "");
  report.error({2, 1}, "a", "");
  report.error({9, 1}, "d", "");
  std::string keys;
  for (const auto& diagnostic : report.take()) keys += diagnostic.key;
  EXPECT_EQ(keys, "abcd");
}

TEST(Report, OnlyErrorsAreErrors) {
  Report report("m.toml");
  report.warning({}, "a", "");
  EXPECT_FALSE(report.has_errors());
  report.error({}, "a", "");
  EXPECT_TRUE(report.has_errors());
}

TEST(Report, AFindingStaysOnOneLine) {
  Report report("m.toml");
  report.error({}, "a\nb", "is \x1b[31m\r\n");
  EXPECT_EQ(report.take().front().to_string(),
            "m.toml:1:1: error: a\\x0ab: is \\x1b[31m\\x0d\\x0a");
}

TEST(Report, QuotesAndCuts) {
  EXPECT_EQ(in_quotes("plain"), "\"plain\"");
  EXPECT_EQ(in_quotes("a\"b\\c"), "\"a\\\"b\\\\c\"");
  EXPECT_EQ(in_quotes(std::string(64, 'x')), '"' + std::string(64, 'x') + '"');
  EXPECT_EQ(in_quotes(std::string(65, 'x')), '"' + std::string(64, 'x') + "...\"");
  // "ü" is two bytes, the second of which would be the 65th.
  EXPECT_EQ(in_quotes(std::string(63, 'x') + "üü"), '"' + std::string(63, 'x') + "...\"");
}

TEST(Report, KeysAreWrittenAsInToml) {
  EXPECT_EQ(key_name("listen_port"), "listen_port");
  EXPECT_EQ(key_name("10.42.0.1"), "\"10.42.0.1\"");
  EXPECT_EQ(key_name(""), "\"\"");
}

}  // namespace
}  // namespace magnetar::config
