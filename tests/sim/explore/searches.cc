// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/explore/searches.h"

#include <cstdio>

namespace magnetar::sim::explore {

std::vector<Search> searches() {
  using std::chrono_literals::operator""ms;
  const Budget one{.drops = 1, .duplicates = 1};
  // More transmissions than drops, or all of an attempt could be lost.
  const Budget two{.drops = 2, .duplicates = 2, .retries = 3};
  const Budget mangled{.cuts = 1};
  const Budget mangled_and_lost{.drops = 1, .cuts = 2};
  // With three hosts the attempts' own timers are enough: those of tunnels come later.
  const Budget one_soon{.drops = 1, .duplicates = 0, .horizon = 400ms};
  const Budget two_soon{.drops = 2, .duplicates = 2, .retries = 3, .horizon = 400ms};
  std::vector<Search> all;
  all.push_back({both_start(Kind::kOurs, true), mangled, mangled_and_lost});
  all.push_back({both_start(Kind::kOurs, true), one, two});
  for (const Kind other : {Kind::kOld, Kind::kNew})
    for (const bool higher : {true, false}) all.push_back({both_start(other, higher), one, two});
  for (const Kind other : {Kind::kOurs, Kind::kNew})
    all.push_back({both_start_and_again(other), Budget{.horizon = 400ms}, one});
  for (const Kind kind : {Kind::kOurs, Kind::kOld, Kind::kNew})
    all.push_back({wrong_responder(kind, kind), one_soon, two_soon});
  all.push_back({only_the_wrong_host(), one_soon, two_soon});
  const Budget quiet{.horizon = 400ms};
  all.push_back({between_two_addresses(both_start(Kind::kOurs, true), true), quiet, one});
  for (const bool higher : {true, false})
    all.push_back({between_two_addresses(both_start(Kind::kNew, higher), true), quiet, one});
  for (const Kind kind : {Kind::kOurs, Kind::kNew})
    all.push_back({between_two_addresses(wrong_responder(kind, kind), false), quiet, one_soon});
  return all;
}

std::string to_string(const Budget& budget) {
  return std::to_string(budget.drops) + " drops, " + std::to_string(budget.duplicates) +
         " duplicates, " + std::to_string(budget.cuts) + " cuts";
}

void print(const Violation& violation) {
  std::printf("  VIOLATION: %s\n", violation.what.c_str());
  for (const std::string& event : violation.trace) std::printf("    %s\n", event.c_str());
  std::fflush(stdout);
}

}  // namespace magnetar::sim::explore
