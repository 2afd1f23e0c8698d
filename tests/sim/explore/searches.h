// SPDX-License-Identifier: Apache-2.0
// The searches that are made: scenarios, each with what CI has time for and with the full budgets.
#pragma once

#include <vector>

#include "tests/sim/explore/explorer.h"

namespace magnetar::sim::explore {

struct Search {
  Scenario scenario;
  Budget quick;
  Budget full;
};

[[nodiscard]] std::vector<Search> searches();
[[nodiscard]] std::string to_string(const Budget& budget);
void print(const Violation& violation);

}  // namespace magnetar::sim::explore
