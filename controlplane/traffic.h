// SPDX-License-Identifier: Apache-2.0
// What the control plane has to ask the data plane: whether a tunnel is in use.
#pragma once

#include <cstdint>

#include "dataplane/base/strong.h"

namespace magnetar {

struct Traffic {
  bool in = false;                 // a packet of the peer authenticated
  bool out = false;                // anything was sent, test requests included
  std::uint64_t send_counter = 0;  // the next one to be used
};

class TrafficSource {
 public:
  virtual ~TrafficSource() = default;
  // Reads the two flags of an open session and clears them. Never a session that was closed.
  [[nodiscard]] virtual Traffic take(LocalIndex session) = 0;
};

}  // namespace magnetar
