// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/bench_port.h"

#include <algorithm>

namespace magnetar::bench {

std::uint16_t BenchPort::receive(std::span<rte_mbuf*> into) {
  const std::size_t count = std::min(into.size(), mbufs_.size() - next_);
  std::copy_n(mbufs_.begin() + static_cast<std::ptrdiff_t>(next_), count, into.begin());
  next_ += count;
  return static_cast<std::uint16_t>(count);
}

std::uint16_t BenchPort::transmit(std::span<rte_mbuf*> packets) {
  sent_ += packets.size();
  return static_cast<std::uint16_t>(packets.size());
}

}  // namespace magnetar::bench
