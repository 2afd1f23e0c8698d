// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/log_text.h"

#include <gtest/gtest.h>

namespace magnetar {
namespace {

TEST(LogText, QuotesWhatACertificateMayHold) {
  const struct {
    std::string_view text;
    std::string_view quoted;
  } cases[] = {
      {"", "\"\""},
      {"host.example", "\"host.example\""},
      {"a\"b\\c", "\"a\\\"b\\\\c\""},
      {"line\nbreak\x7f", "\"line\\x0abreak\\x7f\""},
      {"h\xc3\xb6st", "\"h\xc3\xb6st\""},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(quoted(text), expected);
}

}  // namespace
}  // namespace magnetar
