// SPDX-License-Identifier: Apache-2.0
#include "controlplane/ops/systemd_notify.h"

#include <chrono>
#include <cstdlib>
#include <string>

#include "controlplane/ops/logfmt.h"
#include "controlplane/ops/unix_socket.h"

namespace magnetar::ops {

bool notify(std::string_view state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return false;
  const auto address = unix_address(path, true);
  if (!address) return false;
  const UniqueFd fd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  const auto sent = ::sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                             address->get(), address->size);
  return sent == static_cast<ssize_t>(state.size());
}

void notify_ready() { notify("READY=1"); }

void notify_stopping() { notify("STOPPING=1"); }

void notify_reloading(Instant now) {
  const auto us =
      std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
  notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(us));
}

void notify_status(std::string_view text) { notify("STATUS=" + printable(text)); }

}  // namespace magnetar::ops
