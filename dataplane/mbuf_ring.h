// SPDX-License-Identifier: Apache-2.0
// A bounded ring of packets with one consumer: how they cross from one thread to another, in order.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include <rte_ring.h>

#include "dataplane/doorbell.h"

struct rte_mbuf;

namespace magnetar {

class MbufRing {
 public:
  enum class Producers { kOne, kMany };

  // `name` tells what crosses here, to who looks at DPDK's rings; it need not differ from others'.
  // `size` is a power of two, of which one place stays empty. `consumer` hears of what is put in,
  // and must outlive this object; none: it never sleeps. Start-up only.
  MbufRing(std::string_view name, unsigned size, Producers producers, Doorbell* consumer = nullptr);

  // Producers. Takes packets from the front, as many as fit; the caller keeps the rest.
  [[nodiscard]] unsigned enqueue_burst(std::span<rte_mbuf*> packets) {
    const unsigned taken = rte_ring_enqueue_burst(ring_.get(), as_objects(packets),
                                                  static_cast<unsigned>(packets.size()), nullptr);
    if (taken > 0 && consumer_ != nullptr) consumer_->ring();
    return taken;
  }
  // The consumer, who owns what it gets.
  [[nodiscard]] unsigned dequeue_burst(std::span<rte_mbuf*> into) {
    return rte_ring_sc_dequeue_burst(ring_.get(), as_objects(into),
                                     static_cast<unsigned>(into.size()), nullptr);
  }
  // Any thread.
  [[nodiscard]] unsigned count() const { return rte_ring_count(ring_.get()); }
  [[nodiscard]] bool empty() const { return rte_ring_empty(ring_.get()) != 0; }

 private:
  struct Free {
    void operator()(rte_ring* ring) const;  // what is still in it, too
  };
  static void** as_objects(std::span<rte_mbuf*> packets) {
    return reinterpret_cast<void**>(packets.data());  // NOLINT: rte_ring's element type
  }

  std::unique_ptr<rte_ring, Free> ring_;
  Doorbell* consumer_;
};

}  // namespace magnetar
