// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/tun_device.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

namespace magnetar {
namespace {

short base_flags(TunKind kind) {
  return static_cast<short>((kind == TunKind::kTun ? IFF_TUN : IFF_TAP) | IFF_NO_PI);
}

Result<UniqueFd, DeviceError> attach(std::string& name, int flags) {
  ifreq request{};
  if (name.empty() || name.size() >= sizeof(request.ifr_name))
    return fail(DeviceError{"\"" + name + "\" is no interface name: 1 to 15 characters"});
  std::memcpy(request.ifr_name, name.c_str(), name.size() + 1);
  request.ifr_flags = static_cast<short>(flags);

  UniqueFd fd(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd && errno == ENOENT) return fail(DeviceError{"/dev/net/tun is missing: modprobe tun"});
  if (!fd) return fail(os_error("cannot open /dev/net/tun", errno));
  if (ioctl(fd.get(), TUNSETIFF, &request) != 0) {
    if (errno == EBUSY || errno == EINVAL)
      return fail(DeviceError{"interface " + name +
                              " exists already: stop the gateway that has it, or ip link delete " +
                              name});
    return fail(os_error("cannot create interface " + name, errno));
  }
  name = request.ifr_name;
  return fd;
}

}  // namespace

Result<UniqueFd, DeviceError> create_tun(std::string& name, TunKind kind, bool multi_queue) {
  // Without IFF_TUN_EXCL we would join another process's multi-queue device.
  return attach(name, base_flags(kind) | IFF_TUN_EXCL | (multi_queue ? IFF_MULTI_QUEUE : 0));
}

Result<UniqueFd, DeviceError> add_tun_queue(const std::string& name, TunKind kind) {
  std::string existing = name;
  return attach(existing, base_flags(kind) | IFF_MULTI_QUEUE);
}

}  // namespace magnetar
