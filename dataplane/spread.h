// SPDX-License-Identifier: Apache-2.0
// A device with fewer receive queues than there are workers: a worker that polls a queue deals its
// packets out, by flow, to itself and to workers that have no queue. One ring for each of those,
// one producer and one consumer, so a flow keeps its order.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "dataplane/mbuf_ring.h"
#include "dataplane/port.h"
#include "dataplane/worker_context.h"

namespace magnetar {

// Of the worker that polls. What finds its worker's ring full is counted as received and dropped.
class SpreadingQueue final : public PortQueue {
 public:
  using Flow = std::uint32_t (*)(ByteView packet);
  static constexpr std::size_t kMostOthers = 63;

  // `others` and `stats` (this worker's) must outlive this object.
  SpreadingQueue(std::unique_ptr<PortQueue> device, Flow flow, std::vector<MbufRing*> others,
                 WorkerStats& stats, SideStats& side);
  std::uint16_t receive(std::span<rte_mbuf*> into) override;
  std::uint16_t prepare(std::span<rte_mbuf*> packets) override { return device_->prepare(packets); }
  std::uint16_t prepare_own(std::span<rte_mbuf*> packets) override {
    return device_->prepare_own(packets);
  }
  std::uint16_t transmit(std::span<rte_mbuf*> packets) override;
  [[nodiscard]] std::optional<int> readable_fd() const override { return device_->readable_fd(); }
  int arm() override { return device_->arm(); }
  void disarm() override { device_->disarm(); }

 private:
  void hand_over(std::size_t other, std::span<rte_mbuf*> packets);

  std::unique_ptr<PortQueue> device_;
  Flow flow_;
  std::vector<MbufRing*> others_;
  std::vector<std::array<rte_mbuf*, kBurst>> batches_;  // one for each other
  WorkerStats& stats_;
  SideStats& side_;
};

// Of a worker without a queue: receives what another deals out to it.
class FedQueue final : public PortQueue {
 public:
  // `device` transmits; `ring` must outlive this object. `bell`: what rings for the ring.
  FedQueue(std::unique_ptr<PortQueue> device, MbufRing& ring, const Doorbell& bell)
      : device_(std::move(device)), ring_(ring), bell_(bell) {}
  std::uint16_t receive(std::span<rte_mbuf*> into) override;
  std::uint16_t prepare(std::span<rte_mbuf*> packets) override { return device_->prepare(packets); }
  std::uint16_t prepare_own(std::span<rte_mbuf*> packets) override {
    return device_->prepare_own(packets);
  }
  std::uint16_t transmit(std::span<rte_mbuf*> packets) override;
  [[nodiscard]] std::optional<int> readable_fd() const override { return bell_.fd(); }

 private:
  std::unique_ptr<PortQueue> device_;
  MbufRing& ring_;
  const Doorbell& bell_;
};

}  // namespace magnetar
