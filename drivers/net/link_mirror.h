// SPDX-License-Identifier: Apache-2.0
// What rtnetlink messages say about one interface, kept up to date: pure, fed message by message.
#pragma once

#include <unordered_map>
#include <vector>

#include "dataplane/base/addr.h"
#include "drivers/net/netlink.h"

struct nlmsghdr;

namespace magnetar {

struct Neighbour {
  std::optional<MacAddr> mac;  // none: unresolved, or failed
  bool stale = false;          // the kernel has not heard of it for a while
  bool in_use = false;         // we send to it, which the kernel cannot see
};

// What one message says of a neighbour of the interface; none: the message is about something else.
struct NeighbourNews {
  IpAddr ip;
  std::optional<MacAddr> mac;  // none: gone, or not resolved
  bool stale = false;
};
[[nodiscard]] std::optional<NeighbourNews> neighbour_news(nlmsghdr* message, int interface_index);

class LinkMirror {
 public:
  explicit LinkMirror(int interface_index) { link_.index = interface_index; }

  // True when the message changed something that a path or an address list depends on.
  bool apply(nlmsghdr* message);
  // Before a full list is read again: forget what it will tell, but not which neighbours we use.
  void forget();

  [[nodiscard]] const LinkInfo& link() const { return link_; }
  [[nodiscard]] const std::vector<Prefix>& addresses() const { return addresses_; }
  // The neighbour, marked as one that we send to; made when it is not known.
  Neighbour& use(const IpAddr& ip);
  // Those we send to that went stale since the last call: they want NTF_USE.
  [[nodiscard]] std::vector<IpAddr> take_stale_in_use();

 private:
  bool apply_link(nlmsghdr* message);
  bool apply_address(nlmsghdr* message);
  bool apply_neighbour(nlmsghdr* message);
  bool concerns_routing(nlmsghdr* message) const;

  LinkInfo link_;
  std::vector<Prefix> addresses_;
  std::unordered_map<IpAddr, Neighbour> neighbours_;
  std::vector<IpAddr> stale_in_use_;
};

}  // namespace magnetar
