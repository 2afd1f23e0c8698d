// SPDX-License-Identifier: Apache-2.0
#include "dataplane/mbuf_ring.h"

#include <atomic>
#include <string>

#include <rte_lcore.h>
#include <rte_mbuf.h>

#include "dataplane/base/check.h"

namespace magnetar {

MbufRing::MbufRing(std::string_view name, unsigned size, Producers producers, Doorbell* consumer)
    : consumer_(consumer) {
  static std::atomic<unsigned> instances{0};  // DPDK wants names that differ
  const std::string full =
      "magnetar_" + std::string(name) + "_" + std::to_string(instances.fetch_add(1));
  const unsigned flags = RING_F_SC_DEQ | (producers == Producers::kOne ? RING_F_SP_ENQ : 0U);
  ring_.reset(rte_ring_create(full.c_str(), size, static_cast<int>(rte_socket_id()), flags));
  MAGNETAR_CHECK(ring_ != nullptr);
}

void MbufRing::Free::operator()(rte_ring* ring) const {
  void* mbuf = nullptr;
  while (rte_ring_dequeue(ring, &mbuf) == 0) rte_pktmbuf_free(static_cast<rte_mbuf*>(mbuf));
  rte_ring_free(ring);
}

}  // namespace magnetar
