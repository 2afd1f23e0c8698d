// SPDX-License-Identifier: Apache-2.0
// What every user of a unix socket needs: an owned descriptor and an address of the right length.
#pragma once

#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "dataplane/base/result.h"

namespace magnetar::ops {

// A file descriptor, closed when its owner goes.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  ~UniqueFd() {
    if (fd_ >= 0) ::close(fd_);
  }
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

struct UnixAddress {
  sockaddr_un address{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const {
    return reinterpret_cast<const sockaddr*>(&address);  // NOLINT: the sockets interface
  }
};

// The address of a path. A name that begins with '@' is taken as an abstract one when `abstract`.
[[nodiscard]] inline Result<UnixAddress, std::string> unix_address(std::string_view path,
                                                                   bool abstract = false) {
  UnixAddress out;
  constexpr std::size_t kLongest = sizeof(out.address.sun_path) - 1;
  if (path.empty()) return fail(std::string("the path of the socket is empty"));
  if (path.size() > kLongest || path.find('\0') != std::string_view::npos) {
    return fail(std::string(path) + ": no path for a socket, which is at most " +
                std::to_string(kLongest) + " bytes, none of them zero");
  }
  const bool is_abstract = abstract && path.front() == '@';
  out.address.sun_family = AF_UNIX;
  std::memcpy(out.address.sun_path, path.data(), path.size());
  if (is_abstract) out.address.sun_path[0] = '\0';
  // The zero that ends a path counts; in an abstract name it would be one more byte of the name.
  out.size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (is_abstract ? 0 : 1));
  return out;
}

}  // namespace magnetar::ops
