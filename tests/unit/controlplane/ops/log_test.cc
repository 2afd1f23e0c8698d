// SPDX-License-Identifier: Apache-2.0
#include "controlplane/ops/log.h"

#include <chrono>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "controlplane/ops/logfmt.h"

namespace magnetar::ops {
namespace {

using config::LogFormat;
using nlohmann::ordered_json;

const WallTime kTime{std::chrono::milliseconds(1795385880123)};

std::string line(LogFormat format, LogLevel level, std::string_view text) {
  return format_log_line(format, level, kTime, text);
}

TEST(Log, TextLineIsLogfmt) {
  EXPECT_EQ(line(LogFormat::kText, LogLevel::kInfo, R"(event="tunnel up" peer=10.42.0.1)"),
            R"(time=2026-11-22T22:18:00.123Z level=info event="tunnel up" peer=10.42.0.1)");
}

TEST(Log, NamesEachLevel) {
  for (const auto& [level, name] :
       {std::pair{LogLevel::kDebug, "debug"}, std::pair{LogLevel::kInfo, "info"},
        std::pair{LogLevel::kWarning, "warning"}, std::pair{LogLevel::kError, "error"}}) {
    EXPECT_NE(line(LogFormat::kText, level, "a=b").find(std::string("level=") + name + " "),
              std::string::npos);
    EXPECT_EQ(ordered_json::parse(line(LogFormat::kJson, level, "a=b"))["level"], name);
  }
}

TEST(Log, NoEventSplitsALine) {
  EXPECT_EQ(line(LogFormat::kText, LogLevel::kInfo, "event=a\nevent=b").find('\n'),
            std::string::npos);
  EXPECT_EQ(line(LogFormat::kJson, LogLevel::kInfo, "event=a\nevent=b").find('\n'),
            std::string::npos);
}

TEST(Log, ParsesPairsInAnyState) {
  struct Row {
    const char* why;
    std::string_view text;
    ordered_json expected;
  };
  const Row rows[] = {
      {"pairs in order",
       R"(event="tunnel up" peer=10.42.0.1)",
       {{"event", "tunnel up"}, {"peer", "10.42.0.1"}}},
      {"nothing", "", ordered_json::object()},
      {"only spaces", "   ", ordered_json::object()},
      {"empty values", R"(a= b="" c=)", {{"a", ""}, {"b", ""}, {"c", ""}}},
      {"equals signs belong to the value", "a=b=c", {{"a", "b=c"}}},
      {"quotes and backslashes", R"(a="x \"y\" \\z")", {{"a", R"(x "y" \z)"}}},
      {"control characters come back", R"(a="1\n2\t3\r")", {{"a", "1\n2\t3\r"}}},
      {"a byte that is no text stays an escape", R"(a="\xff")", {{"a", R"(\xff)"}}},
      {"quote that never closes", R"(a="b c)", {{"a", "b c"}}},
      {"backslash at the very end", "a=\"b\\", {{"a", "b\\"}}},
      {"quote at the very end", "a=\"", {{"a", ""}}},
      {"words that are no pair", "hello a=b world", {{"a", "b"}, {"text", "hello world"}}},
      {"pair without a key", "=b a=1", {{"a", "1"}, {"text", "=b"}}},
      {"first of two equal keys", "a=1 a=2", {{"a", "1"}}},
  };
  for (const auto& [why, text, expected] : rows) {
    SCOPED_TRACE(why);
    EXPECT_EQ(parse_logfmt(text).dump(), expected.dump());
  }
}

TEST(Log, JsonGivesBackWhatLogfmtValueQuoted) {
  for (const std::string& name : {std::string("evil\" level=error x=\"\n"), std::string("a\\nb"),
                                  std::string("M\xc3\xbcller & Co")}) {
    const auto json =
        ordered_json::parse(line(LogFormat::kJson, LogLevel::kInfo, "name=" + logfmt_value(name)));
    EXPECT_EQ(json["name"], name);
    EXPECT_EQ(json["level"], "info");
    EXPECT_EQ(json.size(), 3U);
  }
}

TEST(Log, AnEventCannotForgeItsTimeOrLevel) {
  const auto json = ordered_json::parse(
      line(LogFormat::kJson, LogLevel::kInfo, "level=error time=never event=x"));
  EXPECT_EQ(json["level"], "info");
  EXPECT_EQ(json["time"], "2026-11-22T22:18:00.123Z");
  EXPECT_EQ(json["event"], "x");
}

TEST(Log, JsonSurvivesBytesThatAreNoUtf8) {
  const std::string text = line(LogFormat::kJson, LogLevel::kInfo, "name=\xff\xfe");
  EXPECT_EQ(ordered_json::parse(text)["name"], "\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(Log, WritesAtOrAboveTheConfiguredLevel) {
  testing::internal::CaptureStderr();
  configure_log(LogLevel::kWarning, LogFormat::kText);
  log(LogLevel::kInfo, "event=hidden");
  log(LogLevel::kWarning, "event=shown");
  configure_log(LogLevel::kDebug, LogFormat::kJson);
  log(LogLevel::kDebug, "event=json");
  configure_log(LogLevel::kInfo, LogFormat::kText);
  const std::string out = testing::internal::GetCapturedStderr();
  EXPECT_EQ(out.find("hidden"), std::string::npos);
  EXPECT_NE(out.find("level=warning event=shown\n"), std::string::npos);
  EXPECT_NE(out.find(R"("level":"debug","event":"json"})"), std::string::npos);
}

}  // namespace
}  // namespace magnetar::ops
