// SPDX-License-Identifier: Apache-2.0
// Which worker has which queues, and by which rings it is fed where it has none.
#include <bit>

#include "controlplane/data_plane.h"
#include "dataplane/joined_queue.h"
#include "dataplane/wire/flow.h"
#include "drivers/crypto/ipsec_mb.h"

namespace magnetar {
namespace {

constexpr unsigned kSpreadRing = 1024;
constexpr unsigned kPuntRing = 1024;  // of each kind
constexpr unsigned kTransmitRing = 1024;
constexpr unsigned kJoinedRing = 256;

}  // namespace

// Receive queues are dealt out one after the other, outside's first, so that two workers with a
// queue each side share the work.
void DataPlane::make_workers() {
  const auto count = static_cast<std::uint16_t>(config_.workers.cores.size());
  const std::uint16_t outside_queues = outside_->receive_queues();
  const std::uint16_t inside_queues =
      routed_ != nullptr ? routed_->port().receive_queues() : inside_->receive_queues();
  const auto dealt = [count](std::uint16_t worker, std::uint16_t first,
                             std::uint16_t queues) -> std::optional<std::uint16_t> {
    for (std::uint16_t queue = 0; queue < queues; ++queue)
      if ((first + queue) % count == worker) return queue;
    return std::nullopt;
  };
  const std::uint32_t slots = std::bit_ceil(config_.tunnels.max);
  sessions_ = std::make_unique<SessionTable>(slots, *grace_);
  routes_ = std::make_unique<RouteTable>(slots, *grace_);
  rings_ = std::make_unique<ControlRings>(count, kPuntRing, kTransmitRing);
  facts_ = make_facts().release();
  const IdlePolicy idle =
      config_.workers.idle == config::Idle::kPoll ? IdlePolicy::kPoll : IdlePolicy::kAdaptive;
  for (std::uint16_t i = 0; i < count; ++i) {
    auto lane = std::make_unique<Lane>();
    lane->outside = outside_->queue_for_worker(i, dealt(i, 0, outside_queues));
    const auto queue = dealt(i, outside_queues, inside_queues);
    lane->inside = routed_ != nullptr
                       ? routed_->queue_for_worker(i, queue, facts_, *rings_, lane->stats)
                       : inside_->queue_for_worker(i, queue, lane->stats);
    lanes_.push_back(std::move(lane));
  }
  if (outside_->kernel_has_rest()) join_kernel_datagrams();
  spread(&Lane::outside, &WorkerStats::outside, wire::outside_flow, 0, outside_queues);
  spread(&Lane::inside, &WorkerStats::inside, wire::inner_flow, outside_queues, inside_queues);
  for (std::uint16_t i = 0; i < count; ++i) {
    Lane* const lane = lanes_[i].get();
    lane->aead = make_ipsec_mb(config_.tunnels.cipher);
    lane->worker = std::make_unique<Worker>(
        WorkerContext{i, *lane->outside, *lane->inside, *sessions_, *routes_, facts_, *lane->aead,
                      *rings_, lane->stats, count == 1},
        *grace_, idle);
  }
}

// To worker 0, which has a queue of the outside whatever the device gave, and deals them out where
// it does so with that queue's.
void DataPlane::join_kernel_datagrams() {
  joined_ring_.emplace("kernel_datagrams", kJoinedRing, MbufRing::Producers::kOne,
                       &rings_->worker_bell(0));
  std::unique_ptr<PortQueue>& queue = lanes_[0]->outside;
  queue = std::make_unique<JoinedQueue>(std::move(queue), *joined_ring_);
  kernel_datagrams_ = std::make_unique<KernelDatagrams>(
      reservation_->fd(), config_.outside.listen_port, outside_->mac(), pool_.get(), *joined_ring_);
}

// A worker without a queue of a side is fed by one that has one, so that both directions of few
// queues keep all workers busy.
void DataPlane::spread(std::unique_ptr<PortQueue> Lane::*port, SideStats WorkerStats::*side,
                       SpreadingQueue::Flow flow, std::uint16_t first, std::uint16_t queues) {
  const auto count = static_cast<std::uint16_t>(lanes_.size());
  std::vector<std::vector<MbufRing*>> fed(queues);
  for (std::uint16_t k = queues; k < count; ++k) {
    const unsigned worker = (first + k) % count;
    Doorbell& bell = rings_->worker_bell(worker);
    MbufRing& ring =
        spread_rings_.emplace_back("spread", kSpreadRing, MbufRing::Producers::kOne, &bell);
    fed[k % queues].push_back(&ring);
    std::unique_ptr<PortQueue>& queue = *lanes_[worker].*port;
    queue = std::make_unique<FedQueue>(std::move(queue), ring, bell);
  }
  for (std::uint16_t k = 0; k < queues; ++k) {
    if (fed[k].empty()) continue;
    Lane& lane = *lanes_[(first + k) % count];
    lane.*port = std::make_unique<SpreadingQueue>(std::move(lane.*port), flow, std::move(fed[k]),
                                                  lane.stats, lane.stats.*side);
  }
}

}  // namespace magnetar
