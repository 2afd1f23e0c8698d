// SPDX-License-Identifier: Apache-2.0
// The connection manager's question, whether a tunnel is in use, answered from the tallies that the
// workers keep anyway: no flag is written for it on the packet path. Control thread only.
#pragma once

#include <vector>

#include "controlplane/traffic.h"
#include "dataplane/tables/session_table.h"

namespace magnetar {

class SessionTraffic final : public TrafficSource {
 public:
  // `sessions` must outlive this object.
  explicit SessionTraffic(const SessionTable& sessions)
      : sessions_(sessions), seen_(sessions.slots()) {}

  [[nodiscard]] Traffic take(LocalIndex session) override;
  // The session was closed: its slot may come again with another tunnel.
  void forget(LocalIndex session) { seen_[sessions_.slot_of(session)] = {}; }

 private:
  struct Seen {
    std::uint64_t received = 0;
    std::uint64_t sent = 2;  // the handshake's two counters
  };

  const SessionTable& sessions_;
  std::vector<Seen> seen_;  // by slot
};

}  // namespace magnetar
