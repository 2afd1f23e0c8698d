// SPDX-License-Identifier: Apache-2.0
// What the workers must know of ourselves: small, immutable, swapped whole behind RCU.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "dataplane/base/addr.h"
#include "dataplane/wire/outer_packet.h"

namespace magnetar {

struct Facts {
  // Outside.
  std::vector<IpAddr> underlay_addrs;  // frames to others are not ours
  std::uint16_t listen_port = 0;
  std::uint16_t outside_mtu = 1500;
  bool kernel_wants_rest = false;  // a twin: frames that are not ours are punted, not dropped
  // Inside.
  std::vector<Prefix> overlay_networks;  // of our certificate, masked
  std::vector<IpAddr> overlay_addrs;     // our own
  std::vector<Prefix> unsafe_networks;   // behind us, masked

  [[nodiscard]] bool is_for_us(const wire::OuterView& view) const {
    return view.destination_port == listen_port &&
           std::ranges::find(underlay_addrs, view.destination()) != underlay_addrs.end();
  }
  [[nodiscard]] bool in_overlay(const IpAddr& addr) const {
    return any_contains(overlay_networks, addr);
  }
  [[nodiscard]] bool is_own_overlay(const IpAddr& addr) const {
    return std::ranges::find(overlay_addrs, addr) != overlay_addrs.end();
  }
  // An address this gateway speaks for: its own or one behind it (protocol/firewall.md 3.2).
  [[nodiscard]] bool is_local(const IpAddr& addr) const {
    return is_own_overlay(addr) || any_contains(unsafe_networks, addr);
  }
  // The all-ones address of one of our IPv4 networks.
  [[nodiscard]] bool is_overlay_broadcast(const IpAddr& addr) const {
    if (!addr.is_v4()) return false;
    return std::ranges::any_of(overlay_networks, [&](const Prefix& network) {
      const std::uint32_t hosts = network.length >= 31 ? 0 : 0xffffffffU >> network.length;
      return hosts != 0 && network.contains(addr) && (addr.v4_value() & hosts) == hosts;
    });
  }

 private:
  [[nodiscard]] static bool any_contains(const std::vector<Prefix>& prefixes, const IpAddr& addr) {
    return std::ranges::any_of(prefixes, [&](const Prefix& p) { return p.contains(addr); });
  }
};

}  // namespace magnetar
