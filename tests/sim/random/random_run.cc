// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/random/random_run.h"

#include <algorithm>
#include <set>

namespace magnetar::sim {

using namespace std::chrono_literals;

namespace {

constexpr Duration kLongestTrouble = 120s;
// A dead tunnel lasts alive + pending interval, a handshake that gives up 5.6 s; then all must
// work.
constexpr Duration kConvergence = 30s;
constexpr Duration kRest = 60s;
// What a packet may wait for: a race with a newer Nebula, whose stage 1 is answered the second
// time.
constexpr Duration kHandshake = 300ms;
constexpr std::size_t kFriends = 2;  // drawn by each node

}  // namespace

RandomRun::RandomRun(std::uint32_t seed, const RandomOptions& options)
    : engine_(seed), world_(seed), length_(options.length) {
  populate(options);
}

void RandomRun::populate(const RandomOptions& options) {
  for (int i = 0; i < options.nodes; ++i) {
    const std::string name = "n" + std::to_string(i);
    const std::string overlay = "10.42.0." + std::to_string(i + 1);
    const bool is_old = i < options.old_peers;
    const bool is_new = !is_old && i < options.old_peers + options.new_peers;
    ControlSettings settings;
    settings.max_tunnels = 256;
    Host& host = is_old   ? static_cast<Host&>(world_.add_old(name, overlay))
                 : is_new ? static_cast<Host&>(world_.add_new(name, overlay))
                          : static_cast<Host&>(world_.add_node(name, overlay, settings));
    hosts_.push_back(&host);
    homes_.push_back(host.underlay());
    ours_.push_back(!is_old && !is_new);
  }
  for (Host* const one : hosts_)
    for (Host* const other : hosts_)
      if (one != other) world_.knows(*one, *other);
  for (std::size_t one = 0; one < hosts_.size(); ++one) {
    for (std::size_t i = 0; i < kFriends; ++i) {
      const std::size_t other = below(hosts_.size());
      // Two models would test Nebula, not us.
      if (other != one && (ours_[one] || ours_[other])) friends_.emplace_back(one, other);
    }
  }
}

std::optional<std::string> RandomRun::run() {
  const Instant end = world_.now().steady + length_;
  while (world_.now().steady < end) {
    trouble();
    heal();
    if (!converges()) return what_broke_;
    if (fraction() < 0.2 && !rests()) return what_broke_;
  }
  if (!rests()) return what_broke_;
  return std::nullopt;
}

bool RandomRun::broken(std::string what) {
  const auto at = std::chrono::duration_cast<std::chrono::milliseconds>(
      world_.now().steady.time_since_epoch() - 1000s);
  what_broke_ = std::move(what) + " after " + std::to_string(at.count()) + " ms";
  return false;
}

std::string RandomRun::send(Host& from, Host& to) {
  std::string text = std::to_string(++serial_);
  from.send(to.overlay(), text);
  return text;
}

void RandomRun::talk() {
  for (const auto& [one, other] : friends_) {
    if (fraction() < 0.5) send(*hosts_[one], *hosts_[other]);
    if (fraction() < 0.5) send(*hosts_[other], *hosts_[one]);
  }
}

void RandomRun::trouble() {
  const Instant end = world_.now().steady + up_to(kLongestTrouble);
  while (world_.now().steady < end) {
    world_.link({.latency = 1ms + up_to(100ms),
                 .jitter = fraction() < 0.5 ? up_to(300ms) : 0ms,
                 .loss = fraction() < 0.1 ? 1.0 : fraction() * 0.5,
                 .duplicate = fraction() * 0.3});
    if (fraction() < 0.5) misfortune();
    if (fraction() < 0.7) talk();
    world_.run_for(up_to(5s));
  }
}

void RandomRun::misfortune() {
  const std::size_t at = below(hosts_.size());
  if (fraction() < 0.5) return hosts_[at]->restart();
  hosts_[at]->move_to({IpAddr::v4(0xc6336400U + (++next_place_ % 250)), 4242});
}

// Everybody is home again, or is known to be elsewhere.
void RandomRun::heal() {
  world_.link({.latency = 20ms});
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    if (fraction() < 0.5) hosts_[i]->move_to(homes_[i]);
    for (Host* const other : hosts_)
      if (other != hosts_[i]) world_.knows(*other, *hosts_[i]);
  }
}

bool RandomRun::arrived(const Host& at, const std::string& text) const {
  return std::ranges::count(at.delivered, text) == 1;
}

bool RandomRun::converges() {
  for (Duration passed{}; passed < kConvergence; passed += 1s) {
    talk();
    world_.run_for(1s);
  }
  for (const auto& [one, other] : friends_) {
    Host& a = *hosts_[one];
    Host& b = *hosts_[other];
    const std::string there = send(a, b);
    const std::string back = send(b, a);
    world_.run_for(kHandshake);
    if (!arrived(b, there)) return broken("no packet from " + a.name() + " to " + b.name());
    if (!arrived(a, back)) return broken("no packet from " + b.name() + " to " + a.name());
  }
  return delivered_once();
}

bool RandomRun::delivered_once() {
  for (Host* const host : hosts_) {
    std::ranges::sort(host->delivered);
    if (std::ranges::adjacent_find(host->delivered) != host->delivered.end())
      return broken("a packet was delivered twice at " + host->name());
    host->delivered.clear();
  }
  return true;
}

// In silence, what is not a tunnel with two ends goes away.
bool RandomRun::rests() {
  world_.run_for(kRest);
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    const Host& host = *hosts_[i];
    if (host.pending() > 0) return broken("an attempt never ends at " + host.name());
    if (!ours_[i]) continue;
    for (const auto& [local, session] : host.sessions()) {
      const Session& end = session;
      const bool has_end = std::ranges::any_of(hosts_, [&](const Host* other) {
        return std::ranges::any_of(other->sessions(), [&](const auto& entry) {
          return other != &host && paired(end, entry.second);
        });
      });
      if (!has_end) return broken("a tunnel without another end at " + host.name());
    }
  }
  return true;
}

std::uint64_t RandomRun::handshakes() const {
  std::uint64_t sum = 0;
  for (const Host* const host : hosts_) sum += static_cast<std::uint64_t>(host->ended("ok"));
  return sum;
}

}  // namespace magnetar::sim
