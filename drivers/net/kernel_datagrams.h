// SPDX-License-Identifier: Apache-2.0
// Datagrams to the Nebula port that came through the kernel's stack, where the workers take theirs
// before it: those that came in fragments, which the kernel has put together (within its own bounds
// of memory and time, net.ipv4.ipfrag_* and net.ipv6.ip6frag_*), and those with IP options. Made
// frames again, and handed to a worker. Control thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "dataplane/mbuf_ring.h"
#include "dataplane/packet/facts.h"
#include "drivers/net/udp_receiver.h"

namespace magnetar {

class KernelDatagrams {
 public:
  // `fd`: PortReservation::fd() of one that receives. `ring`: of a worker. Both must outlive this
  // object.
  KernelDatagrams(int fd, std::uint16_t port, const MacAddr& mac, rte_mempool* pool,
                  MbufRing& ring);

  // Hands over what has come, up to a burst of it: a flood waits in the socket, whose room has a
  // bound. What is not for us is none of the workers' and ends here.
  void process(const Facts& facts);
  // Lost for want of room: in the socket, a packet buffer or the ring.
  [[nodiscard]] std::uint64_t missed() const;

 private:
  int fd_;
  MbufRing& ring_;
  std::atomic<std::uint64_t> missed_ = 0;
  UdpReceiver receiver_;
};

}  // namespace magnetar
