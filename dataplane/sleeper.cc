// SPDX-License-Identifier: Apache-2.0
#include "dataplane/sleeper.h"

#include <algorithm>
#include <cerrno>

#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

namespace magnetar {

Sleeper::Sleeper(std::span<PortQueue* const> ports, const Doorbell& bell)
    : ports_(ports.begin(), ports.end()), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  bool all = epoll_ >= 0 && watch(bell.fd());
  for (const PortQueue* port : ports) {
    const std::optional<int> fd = port->readable_fd();
    all = all && fd && watch(*fd);
  }
  if (all || epoll_ < 0) return;
  close(epoll_);
  epoll_ = -1;
}

Sleeper::~Sleeper() {
  if (epoll_ >= 0) close(epoll_);
}

bool Sleeper::watch(int fd) const {
  epoll_event event{};
  event.events = EPOLLIN;
  // A worker that is fed by another waits for its own bell.
  return epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0 || errno == EEXIST;
}

bool Sleeper::arm() {
  limit_ms_ = PortQueue::kNoLimit;
  for (PortQueue* port : ports_) {
    const int limit = port->arm();
    if (limit == PortQueue::kNoLimit) continue;
    limit_ms_ = limit_ms_ == PortQueue::kNoLimit ? limit : std::min(limit_ms_, limit);
  }
  return limit_ms_ != 0;
}

bool Sleeper::wait() const {
  epoll_event event;
  return epoll_wait(epoll_, &event, 1, limit_ms_) != 0;
}

void Sleeper::disarm() {
  for (PortQueue* port : ports_) port->disarm();
}

void Sleeper::nap() {
  constexpr timespec kNap{.tv_sec = 0, .tv_nsec = 50'000};
  nanosleep(&kNap, nullptr);
}

}  // namespace magnetar
