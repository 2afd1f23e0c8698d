// SPDX-License-Identifier: Apache-2.0
#include "controlplane/publish/session_traffic.h"

#include "dataplane/base/check.h"

namespace magnetar {

Traffic SessionTraffic::take(LocalIndex index) {
  const Session* session = sessions_.find(index);
  MAGNETAR_CHECK(session != nullptr);
  Seen& before = seen_[sessions_.slot_of(index)];
  const Seen now{session->hot->rx_packets.load(std::memory_order_relaxed),
                 session->hot->send_counter.load(std::memory_order_relaxed)};
  const Traffic traffic{.in = now.received != before.received,
                        .out = now.sent != before.sent,
                        .send_counter = now.sent + 1};
  before = now;
  return traffic;
}

}  // namespace magnetar
