// SPDX-License-Identifier: Apache-2.0
// Handshakes we started and that have not finished: one for an overlay address. Control thread.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "controlplane/action.h"
#include "controlplane/handshake/initiator.h"
#include "controlplane/tunnel/refusal.h"
#include "dataplane/base/addr.h"
#include "dataplane/base/time.h"

namespace magnetar {

struct Pending {
  VpnAddr target;
  handshake::Initiator initiator;  // holds stage 1, built once and resent unchanged
  Instant started;
  Instant due;              // of the next transmission, or of giving up
  std::uint32_t sends = 0;  // transmissions so far
  std::vector<QueuedPacket> queue;
  std::vector<UnderlayAddr> learned;    // where the target showed itself, besides what is known
  std::optional<Refusal> last_refused;  // why the last authentic stage 2 was of no use
};

class PendingTable {
 public:
  [[nodiscard]] PendingTable duplicate() const;

  [[nodiscard]] Pending* find(const VpnAddr& target);
  [[nodiscard]] Pending* find(LocalIndex local);
  // There is none for this target; `pending.due` is its first time.
  Pending& add(Pending pending);
  [[nodiscard]] std::optional<Pending> take(const VpnAddr& target);

  void reschedule(Pending& pending, Instant due);
  // The earliest one that is due; null: none is.
  [[nodiscard]] Pending* next_due(Instant now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;

  [[nodiscard]] const std::map<VpnAddr, Pending>& by_target() const { return by_target_; }
  [[nodiscard]] std::size_t size() const { return by_target_.size(); }

 private:
  std::map<VpnAddr, Pending> by_target_;
  std::map<LocalIndex, VpnAddr> by_local_;
  std::set<std::pair<Instant, VpnAddr>> by_time_;
};

}  // namespace magnetar
