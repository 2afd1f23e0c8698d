// SPDX-License-Identifier: Apache-2.0
// A device, and what another thread brings for it: frames that came by a way of their own, and go
// from here on as if the device had received them. Of the worker that polls the device.
#pragma once

#include <algorithm>
#include <memory>

#include "dataplane/mbuf_ring.h"
#include "dataplane/port.h"

namespace magnetar {

class JoinedQueue final : public PortQueue {
 public:
  // `ring` must outlive this object. Its consumer is this worker, whose bell it rings.
  JoinedQueue(std::unique_ptr<PortQueue> device, MbufRing& ring)
      : device_(std::move(device)), ring_(ring) {}

  std::uint16_t receive(std::span<rte_mbuf*> into) override {
    unsigned brought = 0;
    if (!ring_.empty()) brought = ring_.dequeue_burst(into.first(std::min(into.size(), kMost)));
    return static_cast<std::uint16_t>(brought + device_->receive(into.subspan(brought)));
  }
  std::uint16_t prepare(std::span<rte_mbuf*> packets) override { return device_->prepare(packets); }
  std::uint16_t prepare_own(std::span<rte_mbuf*> packets) override {
    return device_->prepare_own(packets);
  }
  std::uint16_t transmit(std::span<rte_mbuf*> packets) override {
    return device_->transmit(packets);
  }
  [[nodiscard]] std::optional<int> readable_fd() const override { return device_->readable_fd(); }
  int arm() override { return device_->arm(); }
  void disarm() override { device_->disarm(); }

 private:
  // Of a burst: a flood this way leaves the device most of the room.
  static constexpr std::size_t kMost = 16;

  std::unique_ptr<PortQueue> device_;
  MbufRing& ring_;
};

}  // namespace magnetar
