// SPDX-License-Identifier: Apache-2.0
#include "controlplane/ops/tally.h"

#include <algorithm>

namespace magnetar::ops {

Tally::Tally() {
  durations_.bounds_s = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                         0.1,    0.25,  0.5,    1,     2.5,  5,     10};
  durations_.counts.resize(durations_.bounds_s.size() + 1);
}

void Tally::count(const HandshakeEnded& ended) {
  const bool initiator = ended.role == HandshakeRole::kInitiator;
  ++handshakes_[{initiator ? "initiator" : "responder", std::string(ended.result)}];
  if (ended.result != "ok") return;
  const double seconds = std::chrono::duration<double>(ended.duration).count();
  const auto bucket = std::ranges::lower_bound(durations_.bounds_s, seconds);
  ++durations_.counts[static_cast<std::size_t>(bucket - durations_.bounds_s.begin())];
  durations_.sum_s += seconds;
}

std::uint64_t Tally::refused(std::string_view reason) const {
  const auto found = refused_.find(reason);
  return found == refused_.end() ? 0 : found->second;
}

void Rates::sample(const std::map<std::string, std::uint64_t>& totals, Instant now) {
  const double seconds = std::chrono::duration<double>(now - at_).count();
  for (const auto& [name, total] : totals) {
    const auto before = last_.find(name);
    const bool known = before != last_.end() && seconds > 0 && at_ != Instant{};
    rates_[name] = known ? static_cast<double>(total - before->second) / seconds : 0;
  }
  last_ = totals;
  at_ = now;
}

double Rates::per_second(const std::string& name) const {
  const auto found = rates_.find(name);
  return found == rates_.end() ? 0 : found->second;
}

}  // namespace magnetar::ops
