// SPDX-License-Identifier: Apache-2.0
// One worker's view of the inside TUN device, in either of its two ways.
#pragma once

#include <memory>
#include <optional>

#include "dataplane/offload/coalesce.h"
#include "dataplane/port.h"
#include "dataplane/stats.h"

struct rte_mempool;

namespace magnetar {

inline constexpr std::uint16_t kTunTailroom = 64;  // what PortQueue promises

// The descriptors stay their owner's. `read`: none if this worker only writes.
struct TunDescriptors {
  std::optional<int> read;
  int write = -1;
};

// A packet a system call.
[[nodiscard]] std::unique_ptr<PortQueue> make_tun_queue(TunDescriptors fds, rte_mempool* pool);

// Of a device with vnet headers: what the kernel gives whole is cut into packets, packets that
// belong together are written whole. `stats`: of the worker, for what the kernel gives that cannot
// be cut; it must outlive the queue.
[[nodiscard]] std::unique_ptr<PortQueue> make_tun_offload_queue(TunDescriptors fds,
                                                                rte_mempool* pool,
                                                                offload::CoalesceRules rules,
                                                                WorkerStats& stats);

}  // namespace magnetar
