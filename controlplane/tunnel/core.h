// SPDX-License-Identifier: Apache-2.0
// What the parts of the control plane share. They are one object in several files: see
// control_plane.cc, which wires them.
#pragma once

#include <memory>
#include <vector>

#include "controlplane/control_plane.h"
#include "controlplane/pki/verifier.h"
#include "controlplane/tunnel/handshake_limiter.h"
#include "controlplane/tunnel/index_allocator.h"
#include "controlplane/tunnel/path_table.h"
#include "controlplane/tunnel/pending_table.h"
#include "controlplane/tunnel/recv_error_limiter.h"
#include "controlplane/tunnel/remembered.h"
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
  IndexAllocator indexes;  // one index for each entry of the three tables below
  TunnelTable tunnels;
  PathTable paths;  // of those
  PendingTable pending;
  // Attempts that gave way to the peer's (section 6). A peer that answers both has a tunnel of
  // them, too, and may send through it: so its stage 2 still opens one.
  PendingTable stood_down;
  RecvErrorLimiter recv_errors;
  HandshakeLimiter handshakes;
  pki::Verifier verifier;
  NewestTimes newest_times;
  WrongAddresses wrong_addresses;

  [[nodiscard]] EphemeralPrivateKey draw_ephemeral();
  // The Time field of a handshake. Never the same twice and never backwards, even if the clock is
  // set back: peers refuse a stage 1 that is not newer than the tunnel they have.
  [[nodiscard]] std::uint64_t stamp(WallTime wall);
  [[nodiscard]] std::uint64_t last_stamp() const { return last_stamp_; }
  [[nodiscard]] bool is_own_underlay(const UnderlayAddr& addr) const;
  [[nodiscard]] bool is_own_overlay(const VpnAddr& addr) const;
  // Whether the peer of this tunnel has shown itself at `addr`.
  [[nodiscard]] bool has_seen_at(const Tunnel& tunnel, const UnderlayAddr& addr) const;
  // Of several tunnels with this peer, whether it is the peer who says which one is used: the
  // higher overlay address does (section 8).
  [[nodiscard]] bool peer_decides(const Tunnel& tunnel) const;
  // Where stage 1 for this target may go, as configured. Our own addresses are left out.
  [[nodiscard]] std::vector<UnderlayAddr> configured_for(const VpnAddr& target) const;

 private:
  std::uint64_t last_stamp_ = 0;
};

}  // namespace magnetar
