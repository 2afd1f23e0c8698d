// SPDX-License-Identifier: Apache-2.0
// DPDK for tests and benches: no hugepages, no devices, one start a process.
#pragma once

#include <cstdint>
#include <memory>

struct rte_mempool;

namespace magnetar::testing {

// Starts the EAL on first use.
void ensure_eal(unsigned megabytes = 512);

struct PoolDeleter {
  void operator()(rte_mempool* pool) const;
};
using Pool = std::unique_ptr<rte_mempool, PoolDeleter>;

// A pool like the daemon's: private area for PuntMeta, headroom and tailroom for a sealed packet.
[[nodiscard]] Pool make_pool(unsigned mbufs, std::uint16_t data_room = 128 + 2048 + 64);

}  // namespace magnetar::testing
