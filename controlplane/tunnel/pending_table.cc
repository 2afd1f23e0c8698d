// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/pending_table.h"

#include "dataplane/base/check.h"

namespace magnetar {

PendingTable PendingTable::duplicate() const {
  PendingTable copy;
  for (const auto& [target, pending] : by_target_) {
    copy.add({.target = target,
              .initiator = pending.initiator.duplicate(),
              .started = pending.started,
              .due = pending.due,
              .sends = pending.sends,
              .queue = pending.queue,
              .learned = pending.learned,
              .last_refused = pending.last_refused});
  }
  return copy;
}

Pending* PendingTable::find(const VpnAddr& target) {
  const auto at = by_target_.find(target);
  return at == by_target_.end() ? nullptr : &at->second;
}

Pending* PendingTable::find(LocalIndex local) {
  const auto at = by_local_.find(local);
  return at == by_local_.end() ? nullptr : find(at->second);
}

Pending& PendingTable::add(Pending pending) {
  by_local_.emplace(pending.initiator.local(), pending.target);
  by_time_.emplace(pending.due, pending.target);
  const VpnAddr target = pending.target;
  const auto [at, fresh] = by_target_.emplace(target, std::move(pending));
  MAGNETAR_CHECK(fresh);
  return at->second;
}

std::optional<Pending> PendingTable::take(const VpnAddr& target) {
  auto node = by_target_.extract(target);
  if (node.empty()) return std::nullopt;
  by_local_.erase(node.mapped().initiator.local());
  by_time_.erase({node.mapped().due, target});
  return std::move(node.mapped());
}

void PendingTable::reschedule(Pending& pending, Instant due) {
  by_time_.erase({pending.due, pending.target});
  pending.due = due;
  by_time_.emplace(due, pending.target);
}

Pending* PendingTable::next_due(Instant now) {
  if (by_time_.empty() || by_time_.begin()->first > now) return nullptr;
  return find(by_time_.begin()->second);
}

std::optional<Instant> PendingTable::next_timeout() const {
  if (by_time_.empty()) return std::nullopt;
  return by_time_.begin()->first;
}

}  // namespace magnetar
