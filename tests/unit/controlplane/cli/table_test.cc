// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/table.h"

#include <gtest/gtest.h>

namespace magnetar::cli {
namespace {

TEST(Table, AlignsColumnsAndEndsLinesClean) {
  Table table({{"NAME"}, {"PACKETS", Table::Align::kRight}, {"MEANING"}});
  table.add({"a", "1", "short"});
  table.add({"longer-name", "12,345,678", ""});
  EXPECT_EQ(table.text(),
            "NAME            PACKETS  MEANING\n"
            "a                     1  short\n"
            "longer-name  12,345,678\n");
}

TEST(Table, CountsCharactersNotBytes) {
  Table table({{"NAME"}, {"X"}, {"Y"}});
  table.add({"M\xc3\xbcller", "1", "2"});
  table.add({"Mueller", "1", "2"});
  EXPECT_EQ(table.text(),
            "NAME     X  Y\n"
            "M\xc3\xbcller   1  2\n"
            "Mueller  1  2\n");
}

TEST(Table, ShowsControlCharacters) {
  Table table({{"NAME"}, {"X"}, {"Y"}});
  table.add({"a\n\x1b[31m", "1", "2"});
  EXPECT_EQ(table.text(),
            "NAME         X  Y\n"
            "a\\n\\x1b[31m  1  2\n");
}

}  // namespace
}  // namespace magnetar::cli
