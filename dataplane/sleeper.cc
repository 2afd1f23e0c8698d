// SPDX-License-Identifier: Apache-2.0
#include "dataplane/sleeper.h"

#include <cerrno>

#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

namespace magnetar {

Sleeper::Sleeper(std::span<const PortQueue* const> ports, const Doorbell& bell)
    : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
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

void Sleeper::wait() const {
  epoll_event event;
  epoll_wait(epoll_, &event, 1, -1);
}

void Sleeper::nap() {
  constexpr timespec kNap{.tv_sec = 0, .tv_nsec = 50'000};
  nanosleep(&kNap, nullptr);
}

}  // namespace magnetar
