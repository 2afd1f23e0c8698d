// SPDX-License-Identifier: Apache-2.0
// The way to an underlay address, as the kernel sees it, with the gateway of the configuration
// where the kernel has no route. Answers are kept until the kernel reports a change. Control
// thread.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "dataplane/base/addr.h"
#include "dataplane/wire/outer_packet.h"
#include "drivers/net/netlink.h"

namespace magnetar {

class PathFinder {
 public:
  virtual ~PathFinder() = default;
  // None: unreachable, or the next hop's MAC is not known (the kernel has been asked for it). Where
  // the kernel resolves what leaves, there is a path then, with a MAC of zeros.
  [[nodiscard]] virtual std::optional<wire::OuterPath> path_to(const UnderlayAddr& to) = 0;
  // The kernel's view has changed.
  virtual void forget() = 0;
};

class Underlay final : public PathFinder {
 public:
  // `netlink` must outlive this object. Frames leave with `mac` and from `port`. `kernel_routes`:
  // the kernel routes and resolves what leaves.
  Underlay(Netlink& netlink, std::vector<IpAddr> gateways, MacAddr mac, std::uint16_t port,
           bool kernel_routes);

  [[nodiscard]] std::optional<wire::OuterPath> path_to(const UnderlayAddr& to) override;
  void forget() override { known_.clear(); }

 private:
  [[nodiscard]] std::optional<Path> ask(const IpAddr& to);

  Netlink& netlink_;
  std::vector<IpAddr> gateways_;
  MacAddr mac_;
  std::uint16_t port_;
  bool kernel_routes_;
  std::unordered_map<IpAddr, std::optional<Path>> known_;
};

}  // namespace magnetar
