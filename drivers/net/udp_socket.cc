// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/udp_socket.h"

#include <array>

#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

namespace magnetar {
namespace {

// A few milliseconds of line rate. More would be delay, not throughput.
constexpr int kBuffer = 4 << 20;

bool set(int fd, int level, int option, int value) {
  return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

// Beyond the limits of net.core where we may, which is the rule.
void set_buffers(int fd) {
  if (!set(fd, SOL_SOCKET, SO_RCVBUFFORCE, kBuffer)) set(fd, SOL_SOCKET, SO_RCVBUF, kBuffer);
  if (!set(fd, SOL_SOCKET, SO_SNDBUFFORCE, kBuffer)) set(fd, SOL_SOCKET, SO_SNDBUF, kBuffer);
}

// PROBE: don't fragment, and look at nothing but the interface's MTU. Path MTU discovery of the
// kernel's would believe any ICMP message that quotes a datagram of ours, and a stranger could
// shrink, by forged ones, what we can send.
bool set_options(int fd, const std::string& interface) {
  return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface.c_str(),
                    static_cast<socklen_t>(interface.size())) == 0 &&
         set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0) && set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) &&
         set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE) &&
         set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
}

}  // namespace

Result<UniqueFd, DeviceError> open_udp_socket(const UdpSocketOptions& options) {
  UniqueFd fd(socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail(os_error("cannot open a UDP socket", errno));
  if (!set_options(fd.get(), options.interface) || (options.joins && !let_join(fd.get())))
    return fail(os_error("cannot set up a UDP socket on " + options.interface, errno));
  set_buffers(fd.get());
  sockaddr_in6 any{};
  any.sin6_family = AF_INET6;
  any.sin6_port = htons(options.port);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof(any)) != 0)  // NOLINT
    return fail(bind_error(options.port, errno));
  return fd;
}

bool let_join(int fd) { return set(fd, SOL_SOCKET, SO_REUSEPORT, 1); }
bool takes_segments(int fd) { return set(fd, SOL_UDP, UDP_SEGMENT, 0); }
bool turn_on_gro(int fd) { return set(fd, SOL_UDP, UDP_GRO, 1); }

std::uint64_t udp_drops(int fd) {
  std::array<std::uint32_t, SK_MEMINFO_VARS> info{};
  socklen_t size = sizeof(info);
  if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info.data(), &size) != 0) return 0;
  return info[SK_MEMINFO_DROPS];
}

DeviceError bind_error(std::uint16_t port, int error) {
  const std::string text = std::to_string(port);
  if (error == EADDRINUSE)
    return DeviceError{"UDP port " + text +
                       " is in use by another program: ss -ulpn sport = :" + text};
  return os_error("cannot bind UDP port " + text, error);
}

}  // namespace magnetar
