// SPDX-License-Identifier: Apache-2.0
// Breaks each rule of the four cases in turn: the search must find every one of them.
#include <algorithm>
#include <cstdio>
#include <string_view>

#include "controlplane/tunnel/mutation.h"
#include "tests/sim/explore/searches.h"

namespace magnetar::sim::explore {
namespace {

struct Mutation {
  Rule rule;
  std::string_view name;
  std::string_view first = "case 2, ours and ours";  // where to look first
};
constexpr Mutation kMutations[] = {
    {Rule::kHigherAddressWins, "the higher address stays the initiator"},
    {Rule::kLoserStandsDown, "the loser of a race stands down"},
    {Rule::kQueueMoves, "the loser's queue moves"},
    {Rule::kCachedStage2, "a repeated stage 1 gets the cached stage 2"},
    {Rule::kLoserHearsLateStage2, "the answer to an attempt that stood down is understood",
     "case 2, ours and new (higher) and"},
    {Rule::kUnconfirmedIsSpare, "a stage 1 alone replaces no tunnel that works"},
    {Rule::kCertificateNamesTarget, "the certificate names the target", "case 3"},
    {Rule::kWrongAddressBlocked, "the wrong host's address is left out", "case 3"},
    {Rule::kWrongHostTold, "the wrong host gets a close_tunnel", "case 3"},
    {Rule::kQueueSurvivesWrongHost, "the queue survives a wrong host", "case 3"},
    {Rule::kLateStage2Ignored, "a late stage 2 is ignored", "case 3"},
    {Rule::kTransactionalRead, "a stage 2 that does not authenticate changes nothing"},
    {Rule::kEarlyDataWaits, "data that overtakes its stage 2 waits for it"},
    {Rule::kAttemptsEnd, "attempts end", "case 3, ours, only"},
    {Rule::kDeadTunnelsEnd, "tunnels without another end are closed"},
};

bool found(const Mutation& mutation) {
  constexpr std::uint64_t kMaxStates = 1'000'000;
  broken_rule = mutation.rule;
  std::uint64_t states = 0;
  auto all = searches();
  std::stable_partition(all.begin(), all.end(), [&](const Search& one) {
    return one.scenario.name.starts_with(mutation.first);
  });
  for (const Search& one : all) {
    Explorer explorer(one.scenario, one.quick, kMaxStates);
    const Outcome outcome = explorer.run();
    states += outcome.states;
    if (outcome.violations.empty()) continue;
    std::printf("found: not \"%.*s\": after %lu states, in %s: %s\n",
                static_cast<int>(mutation.name.size()), mutation.name.data(), states,
                one.scenario.name.c_str(), outcome.violations.front().what.c_str());
    std::fflush(stdout);
    return true;
  }
  std::printf("NOT FOUND: not \"%.*s\": in %lu states\n", static_cast<int>(mutation.name.size()),
              mutation.name.data(), states);
  std::fflush(stdout);
  return false;
}

}  // namespace
}  // namespace magnetar::sim::explore

int main() {
  using namespace magnetar::sim::explore;
  bool all = true;
  for (const Mutation& mutation : kMutations) all = found(mutation) && all;
  return all ? 0 : 1;
}
