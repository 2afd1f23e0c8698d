// SPDX-License-Identifier: Apache-2.0
// 1.6.1: handshake.md sections 3, 6.1, 9.3, 10 and the hazards of 7.2.
#include <algorithm>

#include "tests/sim/nebula.h"

namespace magnetar::sim {

const Nebula::Tunnel* NebulaOld::already_seen(const VpnAddr& peer, ByteView body) const {
  if (all(peer).empty()) return nullptr;
  const Tunnel& only = tunnels_.at(all(peer).front());
  return only.answer && std::ranges::equal(only.answer->stage_1, body) ? &only : nullptr;
}

bool NebulaOld::too_old(const Tunnel& primary, std::uint64_t time_ns) const {
  return primary.peer_time_ns >= time_ns;
}

// The higher overlay address stays the initiator. The loser's queue leaves through the new tunnel.
bool NebulaOld::yields_to(const VpnAddr& peer) {
  const auto mine = pending_.find(peer);
  if (mine == pending_.end()) return true;
  if (peer < overlay()) return false;
  moved_queue_ = std::move(mine->second.queue);
  pending_.erase(mine);
  return true;
}

void NebulaOld::make_room(const VpnAddr& peer) {
  while (!all(peer).empty()) close(all(peer).front());
}

// The hazard: a data packet that does not authenticate marks traffic and moves the peer.
void NebulaOld::on_unauthentic(Session& session, const wire::Header& header,
                               const Datagram& datagram) {
  if (header.type != wire::MessageType::kMessage || header.subtype != 0) return;
  session.in = true;
  roam(session, datagram.from);
}

void NebulaOld::on_replayed(const wire::Header& header, const Datagram& datagram) {
  send_recv_error(header.index, datagram.from);
}

// What is sent arms the check; a tunnel that never sends is never checked.
void NebulaOld::on_sent(Tunnel& tunnel) {
  if (!tunnel.check_at) tunnel.check_at = net_.now().steady + kAliveInterval;
}

void NebulaOld::check(Tunnel& tunnel) {
  Session& session = sessions_.at(tunnel.local);
  if (session.in) {
    session.in = false;
    tunnel.deletion = false;
    tunnel.check_at.reset();
  } else if (tunnel.deletion) {
    close(tunnel.local);
  } else {
    tunnel.deletion = true;
    tunnel.check_at = net_.now().steady + kPendingDeletion;
    send_test(tunnel);
  }
}

}  // namespace magnetar::sim
