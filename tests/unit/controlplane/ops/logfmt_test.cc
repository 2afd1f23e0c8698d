// SPDX-License-Identifier: Apache-2.0
#include "controlplane/ops/logfmt.h"

#include <string_view>

#include <gtest/gtest.h>

namespace magnetar::ops {
namespace {

struct Row {
  const char* why;
  std::string_view text;
  std::string_view expected;
};

TEST(Logfmt, ValueIsBareOnlyWhereThatIsSafe) {
  const Row rows[] = {
      {"plain", "10.42.0.1:4242", "10.42.0.1:4242"},
      {"UTF-8 of each length is text", "M\xc3\xbcller\xe2\x82\xac\xf0\x9f\x98\x80",
       "M\xc3\xbcller\xe2\x82\xac\xf0\x9f\x98\x80"},
      {"empty would vanish", "", R"("")"},
      {"space ends a bare value", "tunnel up", R"("tunnel up")"},
      {"equals sign forges a pair", "a=b", R"("a=b")"},
      {"quote", "a\"b", R"("a\"b")"},
      {"backslash", "a\\b", R"("a\\b")"},
      {"newline forges a line", "a\nlevel=error", R"("a\nlevel=error")"},
      {"tab and return", "\t\r", R"("\t\r")"},
      {"escape drives the terminal", "\x1b[2J", R"("\x1b[2J")"},
      {"zero byte", std::string_view("a\0b", 3), R"("a\x00b")"},
      {"delete", "\x7f", R"("\x7f")"},
      {"C1 control in UTF-8 drives the terminal, too", "\xc2\x9b", R"("\xc2\x9b")"},
  };
  for (const auto& [why, text, expected] : rows) {
    SCOPED_TRACE(why);
    EXPECT_EQ(logfmt_value(text), expected);
  }
}

TEST(Logfmt, PrintableKeepsTextAndShowsTheRest) {
  const Row rows[] = {
      {"quotes and spaces are no danger here", "a \"b\" \\ =", "a \"b\" \\ ="},
      {"newline", "a\nb", "a\\nb"},
      {"lone continuation byte", "a\x80z", "a\\x80z"},
      {"overlong slash", "\xc0\xaf", "\\xc0\\xaf"},
      {"overlong in three bytes", "\xe0\x80\xaf", "\\xe0\\x80\\xaf"},
      {"surrogate", "\xed\xa0\x80", "\\xed\\xa0\\x80"},
      {"beyond the last code point", "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
      {"last code point", "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
      {"cut short at the end", "a\xe2\x82", "a\\xe2\\x82"},
      {"cut short, then text", "\xe2(z", "\\xe2(z"},
      {"byte that no UTF-8 has", "\xff", "\\xff"},
  };
  for (const auto& [why, text, expected] : rows) {
    SCOPED_TRACE(why);
    EXPECT_EQ(printable(text), expected);
  }
}

}  // namespace
}  // namespace magnetar::ops
