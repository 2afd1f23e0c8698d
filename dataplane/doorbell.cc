// SPDX-License-Identifier: Apache-2.0
#include "dataplane/doorbell.h"

#include <cstdint>

#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/base/check.h"

namespace magnetar {

Doorbell::Doorbell() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) { MAGNETAR_CHECK(fd_ >= 0); }
Doorbell::~Doorbell() { close(fd_); }

void Doorbell::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(fd_, &one, sizeof(one));
}

void Doorbell::end_sleep() {
  asleep_.store(false);
  // Who rang may not have written yet: the next sleep is then short.
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = read(fd_, &count, sizeof(count));
}

}  // namespace magnetar
