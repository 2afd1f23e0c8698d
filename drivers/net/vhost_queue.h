// SPDX-License-Identifier: Apache-2.0
// One worker's view of an inside that is an Ethernet interface behind virtio: packets out of
// frames and into them. What comes as many in one is cut, what belongs together leaves as one.
//
//   receive    frames (LRO, chains) -> without Ethernet -> Segmenter -> packets
//   transmit   packets -> Coalescer -> chains (TSO) -> with Ethernet -> frames
#pragma once

#include <memory>

#include "dataplane/base/addr.h"
#include "dataplane/port.h"
#include "dataplane/stats.h"

struct rte_mempool;

namespace magnetar {

struct VhostQueueOptions {
  MacAddr interface {};    // of the kernel's end: where our frames go
  bool send_many = false;  // the device takes TCP as many packets in one
};

// The station that our frames come from; of no use to anybody, as ARP is off.
inline constexpr MacAddr kVhostSource = {
    std::byte{2}, std::byte{'m'}, std::byte{'g'}, std::byte{'n'}, {}, std::byte{1}};

// `frames` may give chains, with what mbuf.h has for LRO and unfinished checksums, and takes the
// same for TSO. `stats`: of the worker, for frames that no packet comes of; it must outlive the
// queue.
[[nodiscard]] std::unique_ptr<PortQueue> make_vhost_queue(std::unique_ptr<PortQueue> frames,
                                                          rte_mempool* pool,
                                                          const VhostQueueOptions& options,
                                                          WorkerStats& stats);

}  // namespace magnetar
