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

// Linux 6.2 and newer; not in the headers of Debian 12.
constexpr unsigned kUso4 = 0x20;
constexpr unsigned kUso6 = 0x40;

int flags_of(TunFlags flags) {
  return (flags.kind == TunKind::kTun ? IFF_TUN : IFF_TAP) | IFF_NO_PI |
         (flags.multi_queue ? IFF_MULTI_QUEUE : 0) | (flags.vnet_header ? IFF_VNET_HDR : 0);
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
    if (errno == EBUSY || errno == EINVAL) return fail(name_is_taken(name));
    return fail(os_error("cannot create interface " + name, errno));
  }
  name = request.ifr_name;
  return fd;
}

}  // namespace

DeviceError name_is_taken(const std::string& name) {
  return DeviceError{"interface " + name +
                     " exists already: stop the gateway that has it, or ip link delete " + name};
}

Result<UniqueFd, DeviceError> create_tun(std::string& name, TunFlags flags) {
  // Without IFF_TUN_EXCL we would join another process's multi-queue device.
  return attach(name, flags_of(flags) | IFF_TUN_EXCL);
}

Result<UniqueFd, DeviceError> add_tun_queue(const std::string& name, TunFlags flags) {
  std::string existing = name;
  return attach(existing, flags_of(flags));
}

TunOffloads set_tun_offloads(int fd) {
  constexpr unsigned kTcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
  struct Step {
    unsigned flags;
    TunOffloads offloads;
  };
  constexpr Step kSteps[] = {
      {kTcp | TUN_F_TSO_ECN | kUso4 | kUso6, {true, true, true, true}},
      {kTcp | TUN_F_TSO_ECN, {true, true, true, false}},
      {kTcp, {true, true, false, false}},
      {TUN_F_CSUM, {true, false, false, false}},
  };
  for (const Step& step : kSteps)
    if (ioctl(fd, TUNSETOFFLOAD, step.flags) == 0) return step.offloads;
  return {};
}

std::string TunOffloads::text() const {
  if (!checksum) return "none";
  return std::string("checksum") + (tcp ? ", tso4, tso6" : "") + (tcp_ecn ? ", ecn" : "") +
         (udp ? ", uso4, uso6" : "");
}

}  // namespace magnetar
