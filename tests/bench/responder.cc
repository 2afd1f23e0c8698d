// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/responder.h"

#include <rte_mbuf.h>

namespace magnetar::bench {

std::uint64_t Responder::drain() {
  std::uint64_t frames = 0;
  rte_mbuf* frame = nullptr;
  while (rings_.take_frames(0, {&frame, 1}) == 1) {
    ++frames;
    rte_pktmbuf_free(frame);
  }
  return frames;
}

}  // namespace magnetar::bench
