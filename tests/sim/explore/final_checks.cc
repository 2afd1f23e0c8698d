// SPDX-License-Identifier: Apache-2.0
// What must hold in every final state, and once the network behaves again.
#include <algorithm>

#include "tests/sim/explore/calm.h"
#include "tests/sim/explore/explorer.h"

namespace magnetar::sim::explore {

using namespace std::chrono_literals;

namespace {

// Longer than retries, a test, and the time until an unanswered test ends a tunnel; twice, because
// a tunnel may be used once more meanwhile.
constexpr Duration kSilence = 45s;
constexpr int kProbes = 25;      // one a second, each way
constexpr int kMoreProbes = 40;  // where one host starts twice: one more tunnel to agree about
constexpr int kMustWork = 5;     // the last ones

}  // namespace

void Explorer::violation(std::string what) {
  outcome_.complete = false;
  if (!outcome_.violations.empty()) return;
  Violation& found = outcome_.violations.emplace_back(Violation{std::move(what), {}});
  for (const Happening& one : trace_) found.trace.push_back(text_of(one));
}

void Explorer::check_final(const Global& state) {
  if (!finals_.emplace(state.hosts, state.lost).second) return;
  if (undisturbed(state)) check_wrong_host_was_told(instances_at(state));
  check_silence(state);
  check_traffic(state);
}

std::vector<std::unique_ptr<Instance>> Explorer::instances_at(const Global& state) {
  std::vector<std::unique_ptr<Instance>> hosts;
  for (std::size_t host = 0; host < scenario_.hosts.size(); ++host)
    hosts.push_back(instance_at(host, state.hosts[host]));
  return hosts;
}

// One is enough for ours. A model that lost the race may send its next while ours still waits too,
// which is ignored; the one after that comes when our tunnel stands.
std::vector<int> Explorer::tries() const {
  std::vector<int> each;
  for (const HostSpec& spec : scenario_.hosts) each.push_back(spec.kind == Kind::kOurs ? 1 : 2);
  return each;
}

void Explorer::check_silence(const Global& state) {
  auto hosts = instances_at(state);
  Calm calm(hosts, tries());
  if (!calm.run_for(kSilence)) return violation("timers never come to rest");
  if (calm.needless_timeouts() > 0 && !scenario_.hopeless)
    return violation("a handshake timed out although the network had recovered");
  Global after = state;
  for (std::size_t host = 0; host < hosts.size(); ++host) {
    if (calm.timed_out()[host])
      after.lost = static_cast<std::uint8_t>(after.lost | own_packets(host));
    for (const std::string& text : hosts[host]->host().missed)  // its stage 2 was dropped
      after.lost = static_cast<std::uint8_t>(after.lost | packets_with(text));
  }
  check_delivery(after, hosts);
  check_ends(hosts);
}

// Every packet is where it belongs, once, unless its loss is accounted for.
void Explorer::check_delivery(const Global& state,
                              const std::vector<std::unique_ptr<Instance>>& hosts) {
  for (std::size_t i = 0; i < scenario_.starts.size(); ++i) {
    const StartSpec& start = scenario_.starts[i];
    for (std::size_t host = 0; host < hosts.size(); ++host) {
      const auto times = std::ranges::count(hosts[host]->host().delivered, start.text);
      const std::string& name = scenario_.hosts[host].name;
      if (host != start.to && times > 0) violation(name + " got what was not for it");
      if (host != start.to) continue;
      if (times > 1) violation(name + " got \"" + start.text + "\" twice");
      const bool lost = (state.lost & (1U << i)) != 0;
      if (times == 0 && !lost && !start.with_tunnel_only && !scenario_.hopeless)
        violation("\"" + start.text + "\" was lost without a reason");
    }
  }
}

// Section 7.1: whoever answered for another got our close_tunnel, and has nothing that leads to us
// but what it opened itself.
void Explorer::check_wrong_host_was_told(const std::vector<std::unique_ptr<Instance>>& hosts) {
  const Host& me = hosts[0]->host();
  if (scenario_.hosts[0].kind != Kind::kOurs || me.ended("wrong_responder") == 0) return;
  for (std::size_t other = 2; other < hosts.size(); ++other) {
    if (scenario_.hosts[other].kind == Kind::kOld) continue;
    for (const auto& [local, session] : hosts[other]->host().sessions()) {
      const bool leads = me.sessions().contains(LocalIndex{session.facts.remote.raw()});
      if (!leads) violation(hosts[other]->host().name() + " was not told to let go");
    }
  }
}

// No attempt is left over, and each tunnel between two of us has its other end. Newer Nebula closes
// spare tunnels without a word, so that our end of one may idle until it is used.
void Explorer::check_ends(const std::vector<std::unique_ptr<Instance>>& hosts) {
  for (std::size_t one = 0; one < hosts.size(); ++one) {
    const Host& host = hosts[one]->host();
    if (host.pending() > 0) violation(host.name() + " has an attempt that never ends");
    if (scenario_.hosts[one].kind != Kind::kOurs) continue;
    for (const auto& [local, session] : host.sessions()) {
      const VpnAddr peer = session.facts.overlay_addrs.front();
      const Session& end = session;
      const bool has_end = std::ranges::any_of(hosts, [&](const auto& other) {
        return std::ranges::any_of(other->host().sessions(), [&](const auto& entry) {
          return other.get() != hosts[one].get() && paired(end, entry.second);
        });
      });
      if (!has_end && kind_of(peer) != Kind::kNew)
        violation(host.name() + " has a tunnel without another end");
    }
  }
}

Kind Explorer::kind_of(const VpnAddr& addr) const {
  for (const HostSpec& spec : scenario_.hosts)
    if (overlay_of(spec) == addr) return spec.kind;
  return Kind::kOurs;
}

void Explorer::check_traffic(const Global& state) {
  auto hosts = instances_at(state);
  Calm calm(hosts, tries());
  const int probes = scenario_.version == 2 ? kMoreProbes : kProbes;
  for (int probe = 0; probe < probes; ++probe) {
    const std::string text = "probe " + std::to_string(probe);
    for (const auto& [one, other] : scenario_.pairs) {
      for (const auto& [from, to] : {std::pair(one, other), std::pair(other, one)})
        for (const VpnAddr& addr : overlays_of(scenario_.hosts[to]))
          calm.send(from, addr, text + " to " + addr.to_string());
    }
    if (!calm.run_for(1s)) return violation("traffic keeps timers from coming to rest");
  }
  for (const auto& [one, other] : scenario_.pairs) {
    for (const std::size_t host : {one, other}) {
      const auto& delivered = hosts[host]->host().delivered;
      for (int probe = probes - kMustWork; probe < probes; ++probe)
        for (const VpnAddr& addr : overlays_of(scenario_.hosts[host]))
          if (std::ranges::count(delivered,
                                 "probe " + std::to_string(probe) + " to " + addr.to_string()) != 1)
            return violation("packets for " + scenario_.hosts[host].name + " still do not arrive");
    }
    const auto theirs = overlays_of(scenario_.hosts[other]);
    const auto mine = overlays_of(scenario_.hosts[one]);
    for (std::size_t i = 0; i < mine.size(); ++i) {
      const Session* const a = hosts[one]->host().session_to(theirs[i]);
      const Session* const b = hosts[other]->host().session_to(mine[i]);
      if (a == nullptr || b == nullptr) return violation("no tunnel after traffic");
      const bool only_ours = scenario_.hosts[other].kind == Kind::kOurs;
      if (only_ours && !paired(*a, *b)) return violation("the two ends use different tunnels");
    }
  }
}

}  // namespace magnetar::sim::explore
