// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/rx_interrupt.h"

#include <cerrno>

#include <rte_epoll.h>
#include <rte_ethdev.h>
#include <rte_interrupts.h>
#include <sys/epoll.h>
#include <unistd.h>

namespace magnetar {

std::unique_ptr<RxInterrupt> RxInterrupt::open(std::uint16_t port_id, std::uint16_t queue) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return nullptr;
  std::unique_ptr<RxInterrupt> made(new RxInterrupt(port_id, queue, epoll));
  made->added_ = rte_eth_dev_rx_intr_ctl_q(port_id, queue, epoll, RTE_INTR_EVENT_ADD, nullptr) == 0;
  // Drivers that have the vector but cannot switch it say so only when asked to.
  if (!made->added_ || !made->enable()) return nullptr;
  made->disable();
  return made;
}

RxInterrupt::~RxInterrupt() {
  if (added_) rte_eth_dev_rx_intr_ctl_q(port_id_, queue_, epoll_, RTE_INTR_EVENT_DEL, nullptr);
  close(epoll_);
}

bool RxInterrupt::enable() const {
  const int result = rte_eth_dev_rx_intr_enable(port_id_, queue_);
  // A vector that is a descriptor of the kernel's (net_tap) is always on, and has no switch.
  return result == 0 || result == -ENOTSUP;
}

void RxInterrupt::disable() const {
  rte_eth_dev_rx_intr_disable(port_id_, queue_);
  // Reads the counter below in the way that the device's kind of interrupt asks for.
  rte_epoll_event event;
  rte_epoll_wait(epoll_, &event, 1, 0);
}

}  // namespace magnetar
