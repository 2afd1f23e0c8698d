// SPDX-License-Identifier: Apache-2.0
#include "controlplane/pki/utf8.h"

#include <gtest/gtest.h>

namespace magnetar::pki {
namespace {

using namespace std::string_view_literals;

TEST(Utf8, AcceptsExactlyRfc3629) {
  const struct {
    const char* why;
    std::string_view text;
    bool good;
  } cases[] = {
      {"empty", ""sv, true},
      {"ASCII", "host-a.example"sv, true},
      {"a zero byte", "\0"sv, true},
      {"the last of one byte", "\x7f"sv, true},
      {"two bytes", "h\xc3\xb6st"sv, true},
      {"three bytes", "\xe4\xbe\x8b"sv, true},
      {"four bytes", "\xf0\x9f\x8c\x8c"sv, true},
      {"the last code point", "\xf4\x8f\xbf\xbf"sv, true},
      {"the last before the surrogates", "\xed\x9f\xbf"sv, true},
      {"the first after the surrogates", "\xee\x80\x80"sv, true},
      {"the smallest of three bytes", "\xe0\xa0\x80"sv, true},
      {"the smallest of four bytes", "\xf0\x90\x80\x80"sv, true},
      {"a continuation without a start", "\x80"sv, false},
      {"cut after one of two", "a\xc3"sv, false},
      {"cut after two of three", "\xe4\xbe"sv, false},
      {"cut after three of four", "\xf0\x9f\x8c"sv, false},
      {"ASCII where a continuation belongs", "\xc3(x"sv, false},
      {"a bad third byte", "\xe4\xbe("sv, false},
      {"a bad fourth byte", "\xf0\x9f\x8c("sv, false},
      {"over-long slash", "\xc0\xaf"sv, false},
      {"over-long in two bytes", "\xc1\xbf"sv, false},
      {"over-long in three bytes", "\xe0\x9f\xbf"sv, false},
      {"over-long in four bytes", "\xf0\x8f\xbf\xbf"sv, false},
      {"the first surrogate", "\xed\xa0\x80"sv, false},
      {"past the last code point", "\xf4\x90\x80\x80"sv, false},
      {"a start byte that UTF-8 gave up", "\xf5\x80\x80\x80"sv, false},
      {"0xff", "\xff"sv, false},
      {"good, then bad", "ok\xc3\xb6\xff"sv, false},
  };
  for (const auto& [why, text, good] : cases) EXPECT_EQ(is_utf8(text), good) << why;
}

}  // namespace
}  // namespace magnetar::pki
