// SPDX-License-Identifier: Apache-2.0
#include "dataplane/outside/early_packets.h"

#include <algorithm>

#include <rte_mbuf.h>

namespace magnetar {

EarlyPackets::~EarlyPackets() {
  for (std::size_t i = 0; i < size_; ++i) rte_pktmbuf_free(waiting_[i].mbuf);
}

bool EarlyPackets::finds(LocalIndex index) const {
  const auto waiting = std::span(waiting_).first(size_);
  return std::ranges::any_of(waiting, [&](const Waiting& one) { return one.index == index; });
}

bool EarlyPackets::hold(rte_mbuf* mbuf, LocalIndex index) {
  if (size_ == kMost) return false;
  waiting_[size_++] = {mbuf, index};
  return true;
}

std::size_t EarlyPackets::release(std::span<rte_mbuf*> into) {
  std::size_t released = 0;
  std::size_t kept = 0;
  for (const Waiting one : std::span(waiting_).first(size_)) {
    // The session may open between two packets of it: one that stays keeps those behind it.
    const auto ahead = std::span(waiting_).first(kept);
    const bool behind =
        std::ranges::any_of(ahead, [&](const Waiting& other) { return other.index == one.index; });
    if (released == into.size() || behind || sessions_.is_awaited(one.index))
      waiting_[kept++] = one;
    else
      into[released++] = one.mbuf;
  }
  size_ = kept;
  return released;
}

}  // namespace magnetar
