// SPDX-License-Identifier: Apache-2.0
// Turns a failed system call into a DeviceError that says what would mend it.
#pragma once

#include <cerrno>
#include <cstring>
#include <string>

#include <unistd.h>

#include "drivers/eal.h"

namespace magnetar {

[[nodiscard]] inline DeviceError os_error(const std::string& what, int error) {
  std::string text = what + ": " + std::strerror(error);
  if (error == EPERM || error == EACCES)
    text += ": run as root, or with CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF";
  return DeviceError{std::move(text)};
}

// A file descriptor that closes itself.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  ~UniqueFd() { reset(); }
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    reset();
    fd_ = other.release();
    return *this;
  }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] explicit operator bool() const { return fd_ >= 0; }
  [[nodiscard]] int release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  void reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  int fd_ = -1;
};

}  // namespace magnetar
