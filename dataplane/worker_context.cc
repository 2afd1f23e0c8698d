// SPDX-License-Identifier: Apache-2.0
#include "dataplane/worker_context.h"

#include <rte_mbuf.h>

namespace magnetar {

void Exits::notice(const PuntMeta& what, rte_mempool* pool) {
  rte_mbuf* mbuf = rte_pktmbuf_alloc(pool);
  if (mbuf == nullptr) return;
  punt_meta(*mbuf) = what;
  punt_meta(*mbuf).worker = context_.worker;
  if (context_.rings.punt({&mbuf, 1}) == 0) {
    context_.stats.punt_dropped[static_cast<std::size_t>(what.kind)].add(1);
    rte_pktmbuf_free(mbuf);
  }
}

void Exits::settle() {
  if (punts_ > 0) punt_all({punted_.data(), punts_});
  if (drops_ > 0) rte_pktmbuf_free_bulk(dropped_.data(), static_cast<unsigned>(drops_));
  punts_ = 0;
  drops_ = 0;
}

void Exits::punt_all(std::span<rte_mbuf*> packets) {
  // The packets belong to the control thread once they are in the ring: note their kinds first.
  std::array<PuntKind, kBurst> kinds;
  for (std::size_t i = 0; i < packets.size(); ++i) kinds[i] = punt_meta(*packets[i]).kind;
  const unsigned taken = context_.rings.punt(packets);
  WorkerStats& stats = context_.stats;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const auto kind = static_cast<std::size_t>(kinds[i]);
    (i < taken ? stats.punted : stats.punt_dropped)[kind].add(1);
  }
  if (taken == packets.size()) return;
  const auto rest = packets.subspan(taken);
  stats.drops[static_cast<std::size_t>(Verdict::kPuntRingFull)].add(rest.size());
  rte_pktmbuf_free_bulk(rest.data(), static_cast<unsigned>(rest.size()));
}

std::size_t transmit(PortQueue& port, SideStats& side, std::span<rte_mbuf*> packets, Exits& exits,
                     Verdict when_full) {
  if (packets.empty()) return 0;
  // Sizes are taken first: what the port has taken is no longer ours to look at.
  std::array<std::uint32_t, kBurst> sizes;
  for (std::size_t i = 0; i < packets.size(); ++i) sizes[i] = packets[i]->pkt_len;
  const std::size_t taken = port.transmit(packets);
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < taken; ++i) bytes += sizes[i];
  side.tx_packets.add(taken);
  side.tx_bytes.add(bytes);
  for (rte_mbuf* mbuf : packets.subspan(taken)) exits.drop(mbuf, when_full);
  return taken;
}

}  // namespace magnetar
