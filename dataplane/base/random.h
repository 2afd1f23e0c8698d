// SPDX-License-Identifier: Apache-2.0
// Randomness comes in as an argument, so that the simulator can seed it.
#pragma once

#include "dataplane/base/bytes.h"

namespace magnetar {

class RandomSource {
 public:
  virtual ~RandomSource() = default;
  // Fills `to` with unpredictable bytes (the daemon's source is the CSPRNG of libsodium).
  virtual void fill(MutableBytes to) = 0;
};

}  // namespace magnetar
