// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/framed_port.h"

#include <cstring>
#include <utility>

#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "dataplane/base/check.h"

namespace magnetar::bench {
namespace {

constexpr std::size_t kAhead = 4;

}  // namespace

FramedPort::FramedPort(std::unique_ptr<PortQueue> frames, const MacAddr& own, const MacAddr& next)
    : frames_(std::move(frames)), own_(own), next_(next) {}

std::uint16_t FramedPort::receive(std::span<rte_mbuf*> into) {
  const std::uint16_t got = frames_->receive(into);
  for (rte_mbuf* mbuf : into.first(got))
    MAGNETAR_CHECK(rte_pktmbuf_adj(mbuf, RTE_ETHER_HDR_LEN) != nullptr);
  return got;
}

std::uint16_t FramedPort::transmit(std::span<rte_mbuf*> packets) {
  for (std::size_t i = 0; i < packets.size(); ++i) {
    if (i + kAhead < packets.size())
      rte_prefetch0(rte_pktmbuf_mtod(packets[i + kAhead], const void*));
    char* header = rte_pktmbuf_prepend(packets[i], RTE_ETHER_HDR_LEN);
    MAGNETAR_CHECK(header != nullptr);
    const rte_be16_t type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
    std::memcpy(header, next_.data(), next_.size());
    std::memcpy(header + RTE_ETHER_ADDR_LEN, own_.data(), own_.size());
    std::memcpy(header + RTE_ETHER_HDR_LEN - sizeof(type), &type, sizeof(type));
  }
  const std::uint16_t sent = frames_->transmit(packets);
  // Whoever asked keeps the rest as it was.
  for (rte_mbuf* mbuf : packets.subspan(sent)) rte_pktmbuf_adj(mbuf, RTE_ETHER_HDR_LEN);
  return sent;
}

}  // namespace magnetar::bench
