// SPDX-License-Identifier: Apache-2.0
// 1.10 and later: handshake.md sections 3, 6.2, 8 and 9.2.
#include <algorithm>
#include <utility>

#include "tests/sim/nebula.h"

namespace magnetar::sim {

const Nebula::Tunnel* NebulaNew::already_seen(const VpnAddr& peer, ByteView body) const {
  for (const LocalIndex local : all(peer)) {
    const Tunnel& tunnel = tunnels_.at(local);
    if (tunnel.answer && std::ranges::equal(tunnel.answer->stage_1, body)) return &tunnel;
  }
  return nullptr;
}

bool NebulaNew::too_old(const Tunnel& primary, std::uint64_t time_ns) const {
  return primary.answer && primary.peer_time_ns >= time_ns;
}

void NebulaNew::make_room(const VpnAddr& peer) {
  while (all(peer).size() >= kMaxPerPeer) close(all(peer).back());
}

void NebulaNew::check(Tunnel& tunnel) {
  Session& session = sessions_.at(tunnel.local);
  const bool in = std::exchange(session.in, false);
  const bool out = std::exchange(session.out, false);
  const bool first = all(tunnel.peer).front() == tunnel.local;
  const Instant now = net_.now().steady;
  tunnel.check_at = now + kAliveInterval;
  if (in) {
    tunnel.deletion = false;
    // The lower address adopts whatever tunnel the higher one sends on.
    if (!first && overlay() <= tunnel.peer) make_primary(tunnel);
    return;
  }
  if (tunnel.deletion) return close(tunnel.local);
  if (first && !out) return;  // an idle tunnel is never tested
  tunnel.deletion = true;
  tunnel.check_at = now + kPendingDeletion;
  if (first) send_test(tunnel);
}

}  // namespace magnetar::sim
