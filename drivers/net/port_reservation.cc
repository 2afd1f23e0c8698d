// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <cstring>

#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/net/os_error.h"
#include "drivers/net/port.h"
#include "drivers/net/udp_socket.h"

namespace magnetar {
namespace {

sockaddr_in6 dual_stack(const IpAddr& ip, std::uint16_t port) {
  sockaddr_in6 to{};
  to.sin6_family = AF_INET6;
  to.sin6_port = htons(port);
  std::memcpy(&to.sin6_addr, ip.mapped().data(), IpAddr::kSize);
  return to;
}

sockaddr_in ipv4_only(const IpAddr& ip, std::uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(ip.v4_value());
  return to;
}

template <typename Address>
const sockaddr* generic(const Address& address) {
  return reinterpret_cast<const sockaddr*>(&address);  // NOLINT: the socket API's own cast
}

// The process reads packets elsewhere: what the kernel's stack brings here is a copy, dropped
// before it is queued.
bool drop_everything(int fd) {
  sock_filter code = BPF_STMT(BPF_RET | BPF_K, 0);
  const sock_fprog program{1, &code};
  const int least = 1;  // the kernel raises it to its minimum
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0 &&
         setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least)) == 0;
}

// Where each came to is told. Room for some milliseconds of fragments, and no more for a flood.
bool receive_from(int fd, const std::string& interface) {
  constexpr int kBuffer = 1 << 20;
  const int yes = 1;
  return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface.c_str(),
                    static_cast<socklen_t>(interface.size())) == 0 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &yes, sizeof(yes)) == 0 &&
         (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kBuffer, sizeof(kBuffer)) == 0 ||
          setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kBuffer, sizeof(kBuffer)) == 0);
}

bool bind_any(int fd, int family, std::uint16_t port) {
  if (family == AF_INET) {
    const sockaddr_in any = ipv4_only(IpAddr::v4(INADDR_ANY), port);
    return ::bind(fd, generic(any), sizeof(any)) == 0;
  }
  const int no = 0;
  if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)) != 0) return false;
  const sockaddr_in6 any = dual_stack(IpAddr{}, port);
  return ::bind(fd, generic(any), sizeof(any)) == 0;
}

// Not bound to the interface: it would get a share of what comes there.
bool join_and_send_by(int fd, const std::string& interface) {
  const std::uint32_t index = htonl(if_nametoindex(interface.c_str()));
  return let_join(fd) && setsockopt(fd, IPPROTO_IP, IP_UNICAST_IF, &index, sizeof(index)) == 0 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_IF, &index, sizeof(index)) == 0;
}

int family_of_socket(int fd) {
  int family = AF_UNSPEC;
  socklen_t size = sizeof(family);
  getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size);
  return family;
}

}  // namespace

Result<PortReservation, DeviceError> PortReservation::bind(std::uint16_t port) {
  return open(Use::kAlone, port, {});
}

Result<PortReservation, DeviceError> PortReservation::join(std::uint16_t port,
                                                           const std::string& interface) {
  return open(Use::kBeside, port, interface);
}

Result<PortReservation, DeviceError> PortReservation::receive(std::uint16_t port,
                                                              const std::string& interface) {
  return open(Use::kReceive, port, interface);
}

Result<PortReservation, DeviceError> PortReservation::open(Use use, std::uint16_t port,
                                                           const std::string& interface) {
  constexpr int kType = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  int family = AF_INET6;
  UniqueFd fd(socket(AF_INET6, kType, 0));
  if (!fd && errno == EAFNOSUPPORT) {  // a kernel without IPv6
    family = AF_INET;
    fd = UniqueFd(socket(AF_INET, kType, 0));
  }
  if (!fd) return fail(os_error("cannot open a UDP socket", errno));
  // Without IPv6 a socket does not tell in the same words where a datagram came to.
  if (use == Use::kReceive && family == AF_INET6) {
    if (!receive_from(fd.get(), interface))
      return fail(os_error("cannot receive by UDP on " + interface, errno));
  } else if (!drop_everything(fd.get())) {
    return fail(os_error("cannot filter a UDP socket", errno));
  }
  if (use == Use::kBeside && !join_and_send_by(fd.get(), interface))
    return fail(os_error("cannot share UDP port " + std::to_string(port), errno));
  if (!bind_any(fd.get(), family, port)) return fail(bind_error(port, errno));
  return PortReservation(fd.release());
}

PortReservation::PortReservation(PortReservation&& other) noexcept : fd_(other.fd_) {
  other.fd_ = -1;
}

PortReservation::~PortReservation() {
  if (fd_ >= 0) ::close(fd_);
}

bool PortReservation::send(const UnderlayAddr& to, ByteView datagram) {
  ssize_t sent = -1;
  if (family_of_socket(fd_) == AF_INET6) {
    const sockaddr_in6 address = dual_stack(to.ip, to.port);
    sent = sendto(fd_, datagram.data(), datagram.size(), MSG_DONTWAIT, generic(address),
                  sizeof(address));
  } else if (to.ip.is_v4()) {
    const sockaddr_in address = ipv4_only(to.ip, to.port);
    sent = sendto(fd_, datagram.data(), datagram.size(), MSG_DONTWAIT, generic(address),
                  sizeof(address));
  }
  return sent == static_cast<ssize_t>(datagram.size());
}

}  // namespace magnetar
