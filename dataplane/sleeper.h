// SPDX-License-Identifier: Apache-2.0
// How a worker without packets gives back its core, and how it wakes.
#pragma once

#include <span>
#include <vector>

#include "dataplane/doorbell.h"
#include "dataplane/port.h"

namespace magnetar {

class Sleeper {
 public:
  // For a worker with these ports and this bell, whose announcement is the worker's business.
  Sleeper(std::span<PortQueue* const> ports, const Doorbell& bell);
  ~Sleeper();
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  // Whether every port can say that it has packets. Otherwise only nap() is left.
  [[nodiscard]] bool can_wait() const { return epoll_ >= 0; }
  // Makes the ports tell of what comes from here on: then the worker looks for packets a last time,
  // and waits. False: it must not wait now. Either way disarm() follows.
  [[nodiscard]] bool arm();
  // Until a port has packets or the bell rings: true. False: as long as the ports allow.
  bool wait() const;
  void disarm();
  // A sleep of the longest delay that a first packet may suffer.
  static void nap();

 private:
  bool watch(int fd) const;

  std::vector<PortQueue*> ports_;
  int epoll_;
  int limit_ms_ = PortQueue::kNoLimit;
};

}  // namespace magnetar
