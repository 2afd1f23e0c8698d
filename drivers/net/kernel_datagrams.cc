// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/kernel_datagrams.h"

#include <array>

#include <rte_mbuf.h>

#include "dataplane/packet/meta.h"
#include "drivers/net/udp_socket.h"

namespace magnetar {
namespace {

constexpr std::size_t kMostATurn = 64;

// Broadcast, say, which is the kernel's: a worker would hand it to the twin, and so to the kernel
// again.
bool is_for_us(const Facts& facts, rte_mbuf& frame) {
  wire::OuterView outer;
  return wire::parse_outer(view_of(frame), outer) == Verdict::kForward && facts.is_for_us(outer);
}

}  // namespace

KernelDatagrams::KernelDatagrams(int fd, std::uint16_t port, const MacAddr& mac, rte_mempool* pool,
                                 MbufRing& ring)
    : fd_(fd), ring_(ring), receiver_(fd, port, mac, pool, missed_) {}

void KernelDatagrams::process(const Facts& facts) {
  std::array<rte_mbuf*, kMostATurn> frames;
  const std::uint16_t count = receiver_.receive(frames);
  std::size_t ours = 0;
  for (std::uint16_t i = 0; i < count; ++i) {
    if (is_for_us(facts, *frames[i]))
      frames[ours++] = frames[i];
    else
      rte_pktmbuf_free(frames[i]);
  }
  const unsigned taken = ring_.enqueue_burst({frames.data(), ours});
  if (taken == ours) return;
  missed_.fetch_add(ours - taken, std::memory_order_relaxed);
  rte_pktmbuf_free_bulk(frames.data() + taken, static_cast<unsigned>(ours - taken));
}

std::uint64_t KernelDatagrams::missed() const {
  return udp_drops(fd_) + missed_.load(std::memory_order_relaxed);
}

}  // namespace magnetar
