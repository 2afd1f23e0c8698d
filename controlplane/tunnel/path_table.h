// SPDX-License-Identifier: Apache-2.0
// The paths of all tunnels and when each wants to be looked at. Empty unless paths are probed.
// Control thread only; emits nothing.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "controlplane/tunnel/path_mtu.h"
#include "dataplane/base/strong.h"

namespace magnetar {

struct PathState {
  PathMtu search;
  Instant due{};
  std::uint64_t send_counter = 0;  // of the tunnel, when it was looked at last
  std::uint64_t probes = 0;        // of ours since then
};

class PathTable {
 public:
  // In place of what there was.
  void set(LocalIndex local, PathMtu search, Instant due) {
    erase(local);
    paths_.emplace(local, PathState{.search = search, .due = due});
    due_.emplace(due, local);
  }
  void erase(LocalIndex local) {
    const auto at = paths_.find(local);
    if (at == paths_.end()) return;
    due_.erase({at->second.due, local});
    paths_.erase(at);
  }
  [[nodiscard]] PathState* find(LocalIndex local) {
    const auto at = paths_.find(local);
    return at == paths_.end() ? nullptr : &at->second;
  }
  [[nodiscard]] const PathState* find(LocalIndex local) const {
    const auto at = paths_.find(local);
    return at == paths_.end() ? nullptr : &at->second;
  }
  void reschedule(LocalIndex local, PathState& path, Instant due) {
    due_.erase({path.due, local});
    path.due = due;
    due_.emplace(due, local);
  }
  [[nodiscard]] std::optional<LocalIndex> next_due(Instant now) const {
    if (due_.empty() || due_.begin()->first > now) return std::nullopt;
    return due_.begin()->second;
  }
  [[nodiscard]] std::optional<Instant> next_timeout() const {
    return due_.empty() ? std::nullopt : std::optional(due_.begin()->first);
  }

 private:
  std::map<LocalIndex, PathState> paths_;
  std::set<std::pair<Instant, LocalIndex>> due_;
};

}  // namespace magnetar
