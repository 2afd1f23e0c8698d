// SPDX-License-Identifier: Apache-2.0
#include "dataplane/tables/session.h"

#include <algorithm>

namespace magnetar {

PeerSources::PeerSources(const std::vector<VpnAddr>& addrs,
                         const std::vector<Prefix>& unsafe_networks) {
  if (addrs.size() == 1 && unsafe_networks.empty() && addrs.front().ip.is_v4())
    only_v4_ = addrs.front().ip.v4_value();
  for (const VpnAddr& addr : addrs)
    prefixes_.push_back({addr.ip, static_cast<std::uint8_t>(addr.ip.bits())});
  for (const Prefix& network : unsafe_networks) prefixes_.push_back(network.masked());
}

bool PeerSources::allows_slowly(const std::byte* source, bool v4) const {
  const IpAddr addr = v4 ? IpAddr::v4(std::span<const std::byte, 4>(source, 4))
                         : IpAddr::v6(std::span<const std::byte, 16>(source, 16));
  return std::ranges::any_of(prefixes_, [&](const Prefix& p) { return p.contains(addr); });
}

}  // namespace magnetar
