// SPDX-License-Identifier: Apache-2.0
// Pools of packet buffers, each with the private area that the pipelines expect.
#pragma once

#include <cstdint>

struct rte_mempool;

namespace magnetar {

struct PacketPoolShape {
  const char* name;
  unsigned mbufs;
  unsigned cache = 0;           // of each worker, in mbufs
  std::uint16_t data_room = 0;  // bytes of a buffer, headroom included
};

// In DPDK's memory, where devices and other processes find it. nullptr: rte_errno says why.
[[nodiscard]] rte_mempool* make_packet_pool(const PacketPoolShape& shape);

// Without hugepages DPDK lets no buffer lie across a page of 4 KiB, so that each begins a page of
// its own: all their headers then share one set of the first-level cache, which holds a dozen. This
// one packs them into transparent huge pages of the process; where the kernel has none to give, it
// is make_packet_pool(). For ports whose device does not look for buffers in DPDK's memory.
// nullptr: rte_errno says why.
[[nodiscard]] rte_mempool* make_packed_packet_pool(const PacketPoolShape& shape);

}  // namespace magnetar
