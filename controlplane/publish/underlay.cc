// SPDX-License-Identifier: Apache-2.0
#include "controlplane/publish/underlay.h"

namespace magnetar {
namespace {
// Strangers decide how many addresses we are asked for; a full memory starts over.
constexpr std::size_t kMostKnown = 65536;
}  // namespace

Underlay::Underlay(Netlink& netlink, std::vector<IpAddr> gateways, MacAddr mac, std::uint16_t port,
                   bool kernel_routes)
    : netlink_(netlink),
      gateways_(std::move(gateways)),
      mac_(mac),
      port_(port),
      kernel_routes_(kernel_routes) {}

std::optional<wire::OuterPath> Underlay::path_to(const UnderlayAddr& to) {
  if (known_.size() >= kMostKnown) known_.clear();
  const auto found = known_.find(to.ip);
  const std::optional<Path>& path =
      found != known_.end() ? found->second : known_.emplace(to.ip, ask(to.ip)).first->second;
  if (!path || path->source.is_v4() != to.ip.is_v4()) return std::nullopt;
  if (!path->next_mac && !kernel_routes_) return std::nullopt;
  return wire::OuterPath{.source_mac = mac_,
                         .next_mac = path->next_mac.value_or(MacAddr{}),
                         .source = {path->source, port_},
                         .destination = to};
}

std::optional<Path> Underlay::ask(const IpAddr& to) {
  if (auto path = netlink_.path_to(to)) return path;
  for (const IpAddr& gateway : gateways_) {
    if (gateway.is_v4() != to.is_v4()) continue;
    auto path = netlink_.path_to(gateway);
    if (path) path->next_hop = gateway;
    return path;
  }
  return std::nullopt;
}

}  // namespace magnetar
