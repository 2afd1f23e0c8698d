// SPDX-License-Identifier: Apache-2.0
#include "dataplane/spread.h"

#include <algorithm>

#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "dataplane/base/check.h"

namespace magnetar {
namespace {

constexpr std::size_t kPrefetchAhead = 4;
// A burst may hold nothing for the worker that polls. It looks again so often before it says that
// there is nothing, which would let it rest.
constexpr int kPolls = 4;

}  // namespace

SpreadingQueue::SpreadingQueue(std::unique_ptr<PortQueue> device, Flow flow,
                               std::vector<MbufRing*> others, WorkerStats& stats, SideStats& side)
    : device_(std::move(device)),
      flow_(flow),
      others_(std::move(others)),
      batches_(others_.size()),
      stats_(stats),
      side_(side) {
  MAGNETAR_CHECK(others_.size() <= kMostOthers);
}

std::uint16_t SpreadingQueue::receive(std::span<rte_mbuf*> into) {
  std::array<rte_mbuf*, kBurst> received;
  const auto workers = static_cast<std::uint32_t>(others_.size() + 1);
  for (int poll = 0; poll < kPolls; ++poll) {
    const std::size_t room = std::min(received.size(), into.size());
    const std::size_t count = device_->receive({received.data(), room});
    if (count == 0) return 0;
    std::array<std::size_t, kMostOthers> sizes{};
    std::uint16_t kept = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (i + kPrefetchAhead < count)
        rte_prefetch0(rte_pktmbuf_mtod(received[i + kPrefetchAhead], void*));
      const std::uint32_t worker = flow_(view_of(*received[i])) % workers;
      if (worker == 0)
        into[kept++] = received[i];
      else
        batches_[worker - 1][sizes[worker - 1]++] = received[i];
    }
    for (std::size_t other = 0; other < others_.size(); ++other)
      if (sizes[other] > 0) hand_over(other, {batches_[other].data(), sizes[other]});
    if (kept > 0) return kept;
  }
  return 0;
}

void SpreadingQueue::hand_over(std::size_t other, std::span<rte_mbuf*> packets) {
  const unsigned taken = others_[other]->enqueue_burst(packets);
  const auto rest = packets.subspan(taken);
  if (rest.empty()) return;
  side_.rx_packets.add(rest.size());
  for (const rte_mbuf* mbuf : rest) side_.rx_bytes.add(mbuf->pkt_len);
  stats_.drops[static_cast<std::size_t>(Verdict::kWorkerFull)].add(rest.size());
  rte_pktmbuf_free_bulk(rest.data(), static_cast<unsigned>(rest.size()));
}

std::uint16_t SpreadingQueue::transmit(std::span<rte_mbuf*> packets) {
  return device_->transmit(packets);
}

std::uint16_t FedQueue::receive(std::span<rte_mbuf*> into) {
  return static_cast<std::uint16_t>(ring_.dequeue_burst(into));
}

std::uint16_t FedQueue::transmit(std::span<rte_mbuf*> packets) {
  return device_->transmit(packets);
}

}  // namespace magnetar
