// SPDX-License-Identifier: Apache-2.0
// Two queues pretending to be a device.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include <rte_mbuf.h>

#include "dataplane/base/check.h"
#include "dataplane/packet/meta.h"
#include "dataplane/port.h"

namespace magnetar::testing {

class MemoryPort final : public PortQueue {
 public:
  explicit MemoryPort(rte_mempool* pool) : pool_(pool) {}
  ~MemoryPort() override {
    for (rte_mbuf* mbuf : arriving_) rte_pktmbuf_free(mbuf);
    take_sent();
  }

  // The device will receive a copy of these bytes.
  void arrive(ByteView bytes) {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
    MAGNETAR_CHECK(mbuf != nullptr && bytes.size() <= rte_pktmbuf_tailroom(mbuf));
    std::byte* data = reinterpret_cast<std::byte*>(  // NOLINT: DPDK's buffers are char
        rte_pktmbuf_append(mbuf, static_cast<std::uint16_t>(bytes.size())));
    std::ranges::copy(bytes, data);
    arriving_.push_back(mbuf);
  }
  // Or a buffer as a driver fills it, a chain of several too.
  void arrive(rte_mbuf* mbuf) { arriving_.push_back(mbuf); }
  // What was sent since the last call.
  std::vector<Bytes> take_sent() {
    std::vector<Bytes> out;
    for (rte_mbuf* mbuf : sent_) {
      out.push_back(to_vector(view_of(*mbuf)));
      rte_pktmbuf_free(mbuf);
    }
    sent_.clear();
    return out;
  }
  // The same as the driver would see it; the caller's then.
  std::vector<rte_mbuf*> take_sent_mbufs() { return std::exchange(sent_, {}); }
  void accept_at_most(std::size_t packets) { room_ = packets; }
  // Called while a burst is on its way out: what others do meanwhile.
  void while_sending(std::function<void()> meanwhile) { meanwhile_ = std::move(meanwhile); }

  std::uint16_t receive(std::span<rte_mbuf*> into) override {
    std::uint16_t count = 0;
    while (count < into.size() && !arriving_.empty()) {
      into[count++] = arriving_.front();
      arriving_.pop_front();
    }
    return count;
  }
  std::uint16_t transmit(std::span<rte_mbuf*> packets) override {
    if (meanwhile_) meanwhile_();
    const std::size_t taken = std::min(packets.size(), room_);
    sent_.insert(sent_.end(), packets.begin(),
                 packets.begin() + static_cast<std::ptrdiff_t>(taken));
    return static_cast<std::uint16_t>(taken);
  }

 private:
  rte_mempool* pool_;
  std::deque<rte_mbuf*> arriving_;
  std::vector<rte_mbuf*> sent_;
  std::function<void()> meanwhile_;
  std::size_t room_ = static_cast<std::size_t>(-1);
};

}  // namespace magnetar::testing
