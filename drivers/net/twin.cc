// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/twin.h"

#include <cstring>

#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "drivers/net/netlink.h"
#include "drivers/net/tun_device.h"

namespace magnetar {
namespace {

Result<void, DeviceError> set_mac(int fd, const std::string& name, const MacAddr& mac) {
  ifreq request{};
  request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
  std::memcpy(request.ifr_hwaddr.sa_data, mac.data(), mac.size());
  // On the TAP's own descriptor the kernel takes its name from there.
  if (ioctl(fd, SIOCSIFHWADDR, &request) == 0) return {};
  return fail(os_error(name + ": cannot set the address " + to_string(mac), errno));
}

}  // namespace

Twin::Twin(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}
Twin::~Twin() { ::close(fd_); }

Result<std::unique_ptr<Twin>, DeviceError> Twin::open(const std::string& name, const MacAddr& mac,
                                                      unsigned mtu) {
  std::string created = name;
  auto fd = create_tun(created, {.kind = TunKind::kTap});
  if (!fd) return fail(std::move(fd).error());
  if (auto done = set_mac(fd->get(), created, mac); !done) return fail(std::move(done).error());
  const auto index = static_cast<int>(if_nametoindex(created.c_str()));
  if (auto done = set_link(index, mtu, true); !done) return fail(std::move(done).error());
  return std::unique_ptr<Twin>(new Twin(fd->release(), std::move(created)));
}

int Twin::fd() const { return fd_; }
const std::string& Twin::name() const { return name_; }

std::optional<std::size_t> Twin::read(MutableBytes frame) {
  const ssize_t got = ::read(fd_, frame.data(), frame.size());
  if (got <= 0) return std::nullopt;
  return static_cast<std::size_t>(got);
}

bool Twin::write(ByteView frame) {
  return ::write(fd_, frame.data(), frame.size()) == static_cast<ssize_t>(frame.size());
}

}  // namespace magnetar
