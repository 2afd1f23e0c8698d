// SPDX-License-Identifier: Apache-2.0
// What the parts of the control plane share. They are one object in several files: see
// control_plane.cc, which wires them.
#pragma once

#include <memory>

#include "controlplane/control_plane.h"
#include "controlplane/tunnel/index_allocator.h"
#include "controlplane/tunnel/pending_table.h"
#include "controlplane/tunnel/tunnel_table.h"
#include "dataplane/base/check.h"

namespace magnetar {

struct Core {
  Core(std::shared_ptr<const Identity> who, ControlSettings with, RandomSource& source)
      : identity(std::move(who)),
        settings(std::move(with)),
        random(source),
        indexes(settings.max_tunnels) {
    MAGNETAR_CHECK(settings.retries > 0 && settings.try_interval > Duration::zero());
  }

  std::shared_ptr<const Identity> identity;
  ControlSettings settings;
  RandomSource& random;
  IndexAllocator indexes;  // one index for each entry of the two tables below
  TunnelTable tunnels;
  PendingTable pending;

  [[nodiscard]] EphemeralPrivateKey draw_ephemeral();
  // The Time field of a handshake. Never the same twice and never backwards, even if the clock is
  // set back: peers refuse a stage 1 that is not newer than the tunnel they have.
  [[nodiscard]] std::uint64_t stamp(WallTime wall);
  [[nodiscard]] bool is_own_underlay(const UnderlayAddr& addr) const;
  [[nodiscard]] bool is_own_overlay(const VpnAddr& addr) const;

 private:
  std::uint64_t last_stamp_ = 0;
};

}  // namespace magnetar
