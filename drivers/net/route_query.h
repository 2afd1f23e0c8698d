// SPDX-License-Identifier: Apache-2.0
// Questions to the kernel by rtnetlink, answered at once: routes, neighbours, whole lists.
// Control thread.
#pragma once

#include <functional>
#include <optional>

#include "dataplane/base/addr.h"
#include "drivers/net/rtnl.h"

namespace magnetar {

// One unicast route as the kernel resolved it.
struct RouteAnswer {
  int interface_index = 0;
  std::optional<IpAddr> source;
  std::optional<IpAddr> gateway;  // none: on-link
};

class RouteQuery {
 public:
  // None when the kernel gives no socket.
  [[nodiscard]] static std::optional<RouteQuery> open();

  // How `to` is reached out of the interface. For IPv4 the kernel answers "on-link" when it has no
  // route at all out of that interface; has_route() tells.
  [[nodiscard]] std::optional<RouteAnswer> resolve(const IpAddr& to, int interface_index);
  // Whether a routing table has an entry for `to` out of the interface.
  [[nodiscard]] bool has_route(const IpAddr& to, int interface_index);
  // Has the kernel resolve (or check again) a neighbour, as if it had a packet to send.
  void use_neighbour(const IpAddr& neighbour, int interface_index);

  using OnMessage = std::function<void(nlmsghdr*)>;
  // Lists all objects of an RTM_GET... type; false when the list is incomplete.
  bool list(int type, const OnMessage& on_message);
  bool get_link(int interface_index, const OnMessage& on_message);

 private:
  explicit RouteQuery(NlSocket socket) : socket_(std::move(socket)) {}
  NlMessage route_message(const IpAddr& to, int interface_index, unsigned flags);
  bool ask(nl_msg* message, const OnMessage& on_message);
  bool receive(const OnMessage& on_message);

  NlSocket socket_;
};

}  // namespace magnetar
