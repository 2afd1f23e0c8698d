// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/explore/scenario.h"

#include <utility>

#include "tests/sim/nebula.h"
#include "tests/sim/node.h"

namespace magnetar::sim::explore {
namespace {

std::string_view text(Kind kind) {
  return kind == Kind::kOurs ? "ours" : kind == Kind::kOld ? "old" : "new";
}

std::unique_ptr<Host> make(Net& net, const Scenario& scenario, std::size_t at,
                           std::shared_ptr<const Identity> identity, std::uint32_t retries) {
  const HostSpec& spec = scenario.hosts[at];
  const UnderlayAddr underlay = underlay_of(spec);
  const std::uint64_t seed = at + 1;
  std::unique_ptr<Host> host;
  switch (spec.kind) {
    case Kind::kOurs: {
      ControlSettings settings{.max_tunnels = 64, .retries = retries};
      host = std::make_unique<Node>(net, spec.name, std::move(identity), underlay,
                                    std::move(settings), seed);
      break;
    }
    case Kind::kOld:
      host =
          std::make_unique<NebulaOld>(net, spec.name, std::move(identity), underlay, seed, retries);
      break;
    case Kind::kNew:
      host =
          std::make_unique<NebulaNew>(net, spec.name, std::move(identity), underlay, seed, retries);
      break;
  }
  for (const auto& [peer, where] : spec.believes) {
    std::vector<UnderlayAddr> addrs;
    for (const std::size_t one : where) addrs.push_back(underlay_of(scenario.hosts[one]));
    host->set_remotes(overlay_of(scenario.hosts[peer]), std::move(addrs));
  }
  return host;
}

}  // namespace

VpnAddr overlay_of(const HostSpec& spec) { return VpnAddr{IpAddr::parse(spec.overlay).value()}; }

UnderlayAddr underlay_of(const HostSpec& spec) {
  return {IpAddr::v4(0xc0000200U | (overlay_of(spec).ip.v4_value() & 0xffU)), 4242};
}

std::vector<Factory> factories_of(const Scenario& scenario, const Budget& budget) {
  const testing::Authority authority;
  std::vector<Factory> factories;
  for (std::size_t at = 0; at < scenario.hosts.size(); ++at) {
    auto identity =
        authority.shared_host(scenario.hosts[at].name, scenario.hosts[at].overlay + "/16",
                              static_cast<std::uint8_t>(at + 1));
    factories.emplace_back([scenario, at, identity, retries = budget.retries](Net& net) {
      return make(net, scenario, at, identity, retries);
    });
  }
  return factories;
}

Scenario both_start(Kind other, bool other_is_higher) {
  const std::string mine = other_is_higher ? "10.42.0.1" : "10.42.0.2";
  const std::string theirs = other_is_higher ? "10.42.0.2" : "10.42.0.1";
  return {.name = "case 2, ours and " + std::string(text(other)) +
                  (other == Kind::kOurs ? ""
                   : other_is_higher    ? " (higher)"
                                        : " (lower)"),
          .hosts = {{"me", mine, Kind::kOurs, {{1, {1}}}}, {"them", theirs, other, {{0, {0}}}}},
          .starts = {{0, 1, "Hi from me"}, {1, 0, "Hi from them"}},
          .pairs = {{0, 1}}};
}

Scenario both_start_and_again(Kind other) {
  Scenario scenario = both_start(other, true);
  scenario.name += " and again";
  scenario.starts.push_back({1, 0, "Hi again"});
  return scenario;
}

Scenario wrong_responder(Kind right, Kind wrong) {
  return {.name = "case 3, ours, " + std::string(text(right)) + " is right, " +
                  std::string(text(wrong)) + " is wrong",
          .hosts = {{"me", "10.42.0.100", Kind::kOurs, {{1, {2, 1}}}},
                    {"them", "10.42.0.99", right, {{0, {0}}}},
                    {"evil", "10.42.0.2", wrong, {{0, {0}}}}},
          .starts = {{0, 1, "for them only"}, {2, 0, "I am them", true}},
          .pairs = {{0, 1}}};
}

Scenario only_the_wrong_host() {
  Scenario scenario = wrong_responder(Kind::kOurs, Kind::kOurs);
  scenario.name = "case 3, ours, only the wrong host is known";
  scenario.hosts[0].believes = {{1, {2}}};
  scenario.pairs.clear();
  scenario.hopeless = true;
  return scenario;
}

}  // namespace magnetar::sim::explore
