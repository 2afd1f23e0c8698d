// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/explore/scenario.h"

#include <utility>

#include "tests/sim/nebula.h"
#include "tests/sim/node.h"
#include "tests/support/issuer.h"

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
    for (const VpnAddr& overlay : overlays_of(scenario.hosts[peer]))
      host->set_remotes(overlay, addrs);
  }
  return host;
}

}  // namespace

VpnAddr overlay_of(const HostSpec& spec) { return VpnAddr{IpAddr::parse(spec.overlay).value()}; }

std::vector<VpnAddr> overlays_of(const HostSpec& spec) {
  std::vector<VpnAddr> all{overlay_of(spec)};
  if (!spec.second.empty()) all.push_back(VpnAddr{IpAddr::parse(spec.second).value()});
  return all;
}

UnderlayAddr underlay_of(const HostSpec& spec) {
  return {IpAddr::v4(0xc0000200U | (overlay_of(spec).ip.v4_value() & 0xffU)), 4242};
}

std::vector<Factory> factories_of(const Scenario& scenario, const Budget& budget) {
  const testing::Issuer issuer;
  std::vector<Factory> factories;
  for (std::size_t at = 0; at < scenario.hosts.size(); ++at) {
    const HostSpec& spec = scenario.hosts[at];
    testing::HostSpec shown{.name = spec.name,
                            .networks = {spec.overlay + "/16"},
                            .versions = {scenario.version},
                            .key = static_cast<std::uint8_t>(at + 1)};
    if (!spec.second.empty()) shown.networks.push_back(spec.second + "/64");
    auto identity = issuer.shared_host(shown);
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

Scenario between_two_addresses(Scenario scenario, bool again) {
  scenario.name += ", two addresses each";
  scenario.version = 2;
  for (HostSpec& host : scenario.hosts)
    host.second = "fd42::" + host.overlay.substr(host.overlay.rfind('.') + 1);
  for (StartSpec& start : scenario.starts) start.to_second = start.host != 0;
  if (again) scenario.starts.push_back({.host = 0, .to = 1, .text = "Hi again", .to_second = true});
  return scenario;
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
