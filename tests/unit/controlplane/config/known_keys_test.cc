// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/known_keys.h"

#include <gtest/gtest.h>

namespace magnetar::config {
namespace {

TEST(KnownKeys, NearestIsWhatWasMeant) {
  struct Row {
    std::string_view why;
    std::string_view written;
    bool is_table;
    std::string_view meant;
  };
  constexpr Row kRows[] = {
      {"a letter left out", "outside.listen_prt", false, "outside.listen_port"},
      {"a letter too many", "workers.coress", false, "workers.cores"},
      {"another separator", "outside.listen-port", false, "outside.listen_port"},
      {"the right key in the wrong table", "inside.listen_port", false, "outside.listen_port"},
      {"a key without its table", "cipher", false, "tunnels.cipher"},
      {"the plural of a key", "outside.gateways", false, "outside.gateway"},
      {"the same name in two tables: that of the table", "inside.mut", false, "inside.mtu"},
      {"a table with a letter left out", "outsid", true, "outside"},
      {"a table in the singular", "worker", true, "workers"},
      {"a table of a later version", "lighthose", true, "lighthouse"},
  };
  for (const auto& [why, written, is_table, meant] : kRows) {
    SCOPED_TRACE(why);
    EXPECT_EQ(nearest_known(written, is_table).name, meant);
  }
}

TEST(KnownKeys, EveryKeyIsItsOwnNearest) {
  for (const KnownKey& known : kKnownKeys) {
    SCOPED_TRACE(known.name);
    ASSERT_NE(find_known(known.name), nullptr);
    const bool is_table = known.name.find('.') == std::string_view::npos;
    EXPECT_EQ(nearest_known(known.name, is_table).name, known.name);
  }
}

TEST(KnownKeys, AVeryLongNameIsFine) {
  const std::string name(100'000, 'x');
  EXPECT_EQ(find_known(name), nullptr);
  EXPECT_NE(nearest_known(name, false).name, "");
}

}  // namespace
}  // namespace magnetar::config
