// SPDX-License-Identifier: Apache-2.0
// Small pieces over libnl that netlink.cc and netlink_changes.cc share.
#pragma once

#include <memory>
#include <optional>

#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include "dataplane/base/addr.h"

namespace magnetar {

template <auto kFree>
struct NlFree {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using NlSocket = std::unique_ptr<nl_sock, NlFree<nl_socket_free>>;
using NlMessage = std::unique_ptr<nl_msg, NlFree<nlmsg_free>>;
using NlCallbacks = std::unique_ptr<nl_cb, NlFree<nl_cb_put>>;

// A route socket, connected; none when the kernel gives none.
[[nodiscard]] inline NlSocket open_rtnl() {
  NlSocket socket(nl_socket_alloc());
  if (socket && nl_connect(socket.get(), NETLINK_ROUTE) < 0) socket.reset();
  return socket;
}

// Four bytes are IPv4, sixteen IPv6, anything else is none.
[[nodiscard]] inline std::optional<IpAddr> to_ip(const nlattr* attribute) {
  if (attribute == nullptr) return std::nullopt;
  const auto* data = static_cast<const std::byte*>(nla_data(attribute));
  if (nla_len(attribute) == 4) return IpAddr::v4(std::span<const std::byte, 4>(data, 4));
  if (nla_len(attribute) == 16) return IpAddr::v6(std::span<const std::byte, 16>(data, 16));
  return std::nullopt;
}

// A route's gateway from its RTA_GATEWAY and RTA_VIA: one of the other family (RFC 5549) comes in
// the latter, a family and its bytes.
[[nodiscard]] inline std::optional<IpAddr> to_gateway(const nlattr* gateway, const nlattr* via) {
  if (gateway != nullptr || via == nullptr) return to_ip(gateway);
  constexpr std::size_t kFamily = sizeof(rtvia::rtvia_family);
  const ByteView bytes(static_cast<const std::byte*>(nla_data(via)),
                       static_cast<std::size_t>(nla_len(via)));
  if (bytes.size() == kFamily + 4) return IpAddr::v4(bytes.subspan<kFamily, 4>());
  if (bytes.size() == kFamily + 16) return IpAddr::v6(bytes.subspan<kFamily, 16>());
  return std::nullopt;
}

[[nodiscard]] inline std::optional<MacAddr> to_mac(const nlattr* attribute) {
  MacAddr mac;
  if (attribute == nullptr || nla_len(attribute) != static_cast<int>(mac.size()))
    return std::nullopt;
  std::memcpy(mac.data(), nla_data(attribute), mac.size());
  return mac;
}

[[nodiscard]] inline unsigned char family_of(const IpAddr& ip) {
  return ip.is_v4() ? AF_INET : AF_INET6;
}

inline bool put_ip(nl_msg* message, int type, const IpAddr& ip) {
  const ByteView bytes = ip.network_bytes();
  return nla_put(message, type, static_cast<int>(bytes.size()), bytes.data()) == 0;
}

}  // namespace magnetar
