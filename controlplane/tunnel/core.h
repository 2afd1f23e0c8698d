// SPDX-License-Identifier: Apache-2.0
// What the parts of the control plane share. They are one object in several files: see
// control_plane.cc, which wires them.
#pragma once

#include <memory>

#include "controlplane/control_plane.h"
#include "controlplane/tunnel/index_allocator.h"
#include "controlplane/tunnel/pending_table.h"
#include "controlplane/tunnel/recv_error_limiter.h"
#include "controlplane/tunnel/tunnel_table.h"

namespace magnetar {

struct Core {
  Core(std::shared_ptr<const Identity> who, ControlSettings with, RandomSource& source,
       TrafficSource& uses);
  // The same state, independent from now on.
  Core(const Core& other, RandomSource& source, TrafficSource& uses);

  std::shared_ptr<const Identity> identity;
  ControlSettings settings;
  RandomSource& random;
  TrafficSource& traffic;
  IndexAllocator indexes;  // one index for each entry of the two tables below
  TunnelTable tunnels;
  PendingTable pending;
  RecvErrorLimiter recv_errors;

  [[nodiscard]] EphemeralPrivateKey draw_ephemeral();
  // The Time field of a handshake. Never the same twice and never backwards, even if the clock is
  // set back: peers refuse a stage 1 that is not newer than the tunnel they have.
  [[nodiscard]] std::uint64_t stamp(WallTime wall);
  [[nodiscard]] std::uint64_t last_stamp() const { return last_stamp_; }
  [[nodiscard]] bool is_own_underlay(const UnderlayAddr& addr) const;
  [[nodiscard]] bool is_own_overlay(const VpnAddr& addr) const;
  // Whether the peer of this tunnel has shown itself at `addr`.
  [[nodiscard]] bool has_seen_at(const Tunnel& tunnel, const UnderlayAddr& addr) const;

 private:
  std::uint64_t last_stamp_ = 0;
};

}  // namespace magnetar
