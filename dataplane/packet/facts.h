// SPDX-License-Identifier: Apache-2.0
// What the workers must know of ourselves: small, immutable, swapped whole behind RCU.
#pragma once

#include <cstdint>

#include "dataplane/base/prefix_set.h"
#include "dataplane/wire/outer_packet.h"

namespace magnetar {

struct Facts {
  // Outside.
  PrefixSet underlay;  // our addresses: frames to others are not ours
  std::uint16_t listen_port = 0;
  std::uint16_t outside_mtu = 1500;
  std::uint16_t least_path_mtu = 0xffff;  // no path of any peer is taken for narrower
  bool kernel_wants_rest = false;  // a twin: frames that are not ours are punted, not dropped
  // Inside.
  PrefixSet overlay_networks;   // of our certificate
  PrefixSet own_overlay;        // our own addresses there
  PrefixSet local;              // those and the networks behind us (protocol/firewall.md 3.2)
  PrefixSet overlay_broadcast;  // the all-ones addresses of our IPv4 networks
  // Who speaks for us in ICMP errors, of either family; unspecified: nobody can.
  IpAddr overlay_v4, overlay_v6;
  IpAddr port_v4, port_v6;  // to the inside, where that is a port
  bool clamp_mss = false;   // of TCP connections through tunnels, to what fits them

  [[nodiscard]] bool is_for_us(const wire::OuterView& view) const {
    return view.destination_port == listen_port && underlay.contains(view.destination_ip, view.v4);
  }
  // A network of our certificate, host bits and all.
  void add_overlay(const Prefix& network) {
    overlay_networks.add(network);
    own_overlay.add(network.addr);
    local.add(network.addr);
    IpAddr& speaker = network.addr.is_v4() ? overlay_v4 : overlay_v6;
    if (speaker.is_unspecified()) speaker = network.addr;
    if (!network.addr.is_v4() || network.length >= 31) return;
    const std::uint32_t hosts = 0xffffffffU >> network.length;
    overlay_broadcast.add(IpAddr::v4(network.addr.v4_value() | hosts));
  }
};

}  // namespace magnetar
