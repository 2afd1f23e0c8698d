// SPDX-License-Identifier: Apache-2.0
// How a worker without packets gives back its core, and how it wakes.
#pragma once

#include <span>

#include "dataplane/doorbell.h"
#include "dataplane/port.h"

namespace magnetar {

class Sleeper {
 public:
  // For a worker with these ports and this bell, whose announcement is the worker's business.
  Sleeper(std::span<const PortQueue* const> ports, const Doorbell& bell);
  ~Sleeper();
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  // Whether every port can say that it has packets. Otherwise only nap() is left.
  [[nodiscard]] bool can_wait() const { return epoll_ >= 0; }
  // Until a port has packets or the bell rings.
  void wait() const;
  // A sleep of the longest delay that a first packet may suffer.
  static void nap();

 private:
  bool watch(int fd) const;

  int epoll_;
};

}  // namespace magnetar
