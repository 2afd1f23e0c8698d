// SPDX-License-Identifier: Apache-2.0
// A port made of memory for benches: hands out mbufs that were made ready outside the timed part,
// and takes packets without looking at them.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "dataplane/port.h"

namespace magnetar::bench {

class BenchPort final : public PortQueue {
 public:
  // What receive() hands out, from the first on.
  void load(std::span<rte_mbuf* const> mbufs) {
    mbufs_ = mbufs;
    next_ = 0;
  }
  [[nodiscard]] std::size_t sent() const { return sent_; }
  [[nodiscard]] bool empty() const { return next_ == mbufs_.size(); }

  std::uint16_t receive(std::span<rte_mbuf*> into) override;
  std::uint16_t transmit(std::span<rte_mbuf*> packets) override;

 private:
  std::span<rte_mbuf* const> mbufs_;
  std::size_t next_ = 0;
  std::size_t sent_ = 0;
};

}  // namespace magnetar::bench
