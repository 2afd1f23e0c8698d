// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/core.h"

#include <algorithm>

namespace magnetar {

EphemeralPrivateKey Core::draw_ephemeral() {
  EphemeralPrivateKey key;
  random.fill(key.fill());
  return key;
}

std::uint64_t Core::stamp(WallTime wall) {
  const auto ns = std::max<Duration::rep>(wall.time_since_epoch().count(), 0);
  last_stamp_ = std::max(last_stamp_ + 1, static_cast<std::uint64_t>(ns));
  return last_stamp_;
}

bool Core::is_own_underlay(const UnderlayAddr& addr) const {
  return std::ranges::find(settings.own_addrs, addr) != settings.own_addrs.end();
}

bool Core::is_own_overlay(const VpnAddr& addr) const {
  return std::ranges::any_of(identity->certificate.networks,
                             [&](const Prefix& network) { return network.addr == addr.ip; });
}

}  // namespace magnetar
