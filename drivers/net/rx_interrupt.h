// SPDX-License-Identifier: Apache-2.0
// The receive interrupt of one queue of an ethdev, as a descriptor that can be waited for.
#pragma once

#include <cstdint>
#include <memory>

namespace magnetar {

class RxInterrupt {
 public:
  // Of a started device that was configured with receive interrupts. None: it has none for this
  // queue after all. Starts disabled.
  [[nodiscard]] static std::unique_ptr<RxInterrupt> open(std::uint16_t port_id,
                                                         std::uint16_t queue);
  ~RxInterrupt();
  RxInterrupt(const RxInterrupt&) = delete;
  RxInterrupt& operator=(const RxInterrupt&) = delete;

  // Readable once a packet has come to the queue while the interrupt was enabled.
  [[nodiscard]] int fd() const { return epoll_; }
  // The worker that polls the queue. Only packets from here on are told of.
  [[nodiscard]] bool enable() const;
  // Also takes back what fd() has told.
  void disable() const;

 private:
  RxInterrupt(std::uint16_t port_id, std::uint16_t queue, int epoll)
      : port_id_(port_id), queue_(queue), epoll_(epoll) {}

  std::uint16_t port_id_;
  std::uint16_t queue_;
  int epoll_;  // of its own: what is readable here is this queue
  bool added_ = false;
};

}  // namespace magnetar
