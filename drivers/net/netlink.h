// SPDX-License-Identifier: Apache-2.0
// The kernel's view of one interface, mirrored by rtnetlink (libnl): its addresses, and for an
// underlay address the way there. Control thread only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/base/addr.h"
#include "dataplane/base/result.h"
#include "drivers/eal.h"

namespace magnetar {

struct LinkInfo {
  int index = 0;
  MacAddr mac{};
  unsigned mtu = 0;
  bool up = false;
};

// How to reach an underlay address from the mirrored interface.
struct Path {
  IpAddr source;                    // our address the kernel would use
  IpAddr next_hop;                  // the destination itself when on-link
  std::optional<MacAddr> next_mac;  // none: the kernel does not know it (yet)
  friend bool operator==(const Path&, const Path&) = default;
};

class Netlink {
 public:
  // Follows the interface `name`. Error when it does not exist.
  [[nodiscard]] static Result<std::unique_ptr<Netlink>, DeviceError> open(const std::string& name);
  ~Netlink();

  [[nodiscard]] const LinkInfo& link() const;
  // Addresses of the interface, IPv4 before IPv6, link-local ones last; IPv6 tentative ones left
  // out.
  [[nodiscard]] const std::vector<Prefix>& addresses() const;

  // Asks the kernel's own routing (all rules and tables) how `to` is reached out of this interface.
  // None: unreachable, or through another interface. An unknown neighbour is asked for through the
  // kernel (NTF_USE); when it answers, on_change runs.
  [[nodiscard]] std::optional<Path> path_to(const IpAddr& to);

  // To poll for reading; then call process(), which reads what has come and never blocks.
  [[nodiscard]] int fd() const;
  void process();
  // Called from process() once after any change of addresses, routes, neighbours or the link.
  void on_change(std::function<void()> callback);

 private:
  Netlink();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// One-shot changes. Each returns an error that names the interface and what the kernel said.
[[nodiscard]] Result<void, DeviceError> add_address(int link_index, const Prefix& address);
[[nodiscard]] Result<void, DeviceError> remove_address(int link_index, const Prefix& address);
[[nodiscard]] Result<void, DeviceError> set_link(int link_index, unsigned mtu, bool up);
// Of an Ethernet interface: the kernel asks nobody for addresses, and takes its own for theirs.
[[nodiscard]] Result<void, DeviceError> turn_arp_off(int link_index);
// The kernel gives the interface no IPv6 link-local address, and does not talk on it of its own
// accord (router solicitations, multicast listener reports).
[[nodiscard]] Result<void, DeviceError> keep_ipv6_silent(int link_index);
// A route to `to` out of the interface, or through `gateway` when given.
[[nodiscard]] Result<void, DeviceError> add_route(int link_index, const Prefix& to,
                                                  const std::optional<IpAddr>& gateway);

}  // namespace magnetar
