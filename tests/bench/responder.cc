// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/responder.h"

#include <rte_mbuf.h>

namespace magnetar::bench {

void Responder::free_frame(rte_mbuf* frame) { rte_pktmbuf_free(frame); }

}  // namespace magnetar::bench
