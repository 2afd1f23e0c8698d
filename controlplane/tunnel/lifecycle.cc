// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/lifecycle.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "controlplane/tunnel/log_text.h"

namespace magnetar {

SessionKeys keys_of_initiator(noise::Transport transport) {
  return {std::move(transport.initiator_to_responder), std::move(transport.responder_to_initiator)};
}

SessionKeys keys_of_responder(noise::Transport transport) {
  return {std::move(transport.responder_to_initiator), std::move(transport.initiator_to_responder)};
}

OpenSession session_of(const Tunnel& tunnel, SessionKeys keys) {
  return {.local = tunnel.local,
          .remote = tunnel.remote,
          .send_key = std::move(keys.send),
          .receive_key = std::move(keys.receive),
          .overlay_addrs = tunnel.overlay_addrs,
          .unsafe_networks = tunnel.peer->unsafe_networks,
          .remote_addr = tunnel.remote_addr};
}

void Lifecycle::open(NewTunnel fresh, Actions& out) {
  Actions ended;  // reported after the tunnel stands
  auto superseded = supersede(fresh.tunnel.overlay_addrs, ended);
  std::ranges::move(superseded, std::back_inserter(fresh.queue));

  const Tunnel& tunnel = core_.tunnels.insert(std::move(fresh.tunnel));
  out.emplace_back(session_of(tunnel, std::move(fresh.keys)));
  if (tunnel.answer) out.emplace_back(SendDatagram{tunnel.remote_addr, tunnel.answer->stage_2});
  if (!fresh.queue.empty()) out.emplace_back(SendQueued{tunnel.local, std::move(fresh.queue)});
  for (const VpnAddr& addr : tunnel.overlay_addrs) out.emplace_back(RoutePeer{addr, tunnel.local});
  evict_beyond_limit(tunnel, out);
  std::ranges::move(ended, std::back_inserter(out));
  const auto role = tunnel.initiator() ? HandshakeRole::kInitiator : HandshakeRole::kResponder;
  out.emplace_back(HandshakeEnded{role, kHandshakeOk, fresh.took});
  out.emplace_back(log_tunnel_up(tunnel));
}

std::vector<QueuedPacket> Lifecycle::supersede(const std::vector<VpnAddr>& addrs, Actions& out) {
  std::vector<QueuedPacket> queue;
  for (const VpnAddr& addr : addrs) {
    auto pending = core_.pending.take(addr);
    if (!pending) continue;
    core_.indexes.release(pending->initiator.local());
    std::ranges::move(pending->queue, std::back_inserter(queue));
    out.emplace_back(HandshakeEnded{HandshakeRole::kInitiator, kHandshakeSuperseded});
  }
  return queue;
}

void Lifecycle::evict_beyond_limit(const Tunnel& newest, Actions& out) {
  for (const VpnAddr& addr : newest.overlay_addrs) {
    while (core_.tunnels.all(addr).size() > TunnelTable::kMaxPerPeer)
      close(core_.tunnels.all(addr).back()->local, "too_many", out);
  }
}

void Lifecycle::close(LocalIndex local, std::string_view why, Actions& out) {
  const Tunnel* const tunnel = core_.tunnels.find(local);
  if (tunnel == nullptr) return;
  std::vector<VpnAddr> routed;  // through the tunnel that goes
  std::ranges::copy_if(tunnel->overlay_addrs, std::back_inserter(routed),
                       [&](const VpnAddr& addr) { return core_.tunnels.primary(addr) == tunnel; });
  LogEvent log = log_tunnel_down(*tunnel, why);
  core_.tunnels.erase(local);
  core_.indexes.release(local);

  for (const VpnAddr& addr : routed) {
    const Tunnel* const next = core_.tunnels.primary(addr);
    if (next != nullptr)
      out.emplace_back(RoutePeer{addr, next->local});
    else
      out.emplace_back(UnroutePeer{addr});
  }
  out.emplace_back(CloseSession{local});
  out.emplace_back(std::move(log));
}

void Lifecycle::close_and_tell(LocalIndex local, std::string_view why, Actions& out) {
  out.emplace_back(SendInSession{.session = local, .type = wire::MessageType::kCloseTunnel});
  close(local, why, out);
}

void Lifecycle::end_pending(const VpnAddr& target, std::string_view result, Actions& out) {
  const auto pending = core_.pending.take(target);
  if (!pending) return;
  core_.indexes.release(pending->initiator.local());
  for (std::size_t i = 0; i < pending->queue.size(); ++i)
    out.emplace_back(Refused{label(Refusal::kQueueLost)});
  out.emplace_back(HandshakeEnded{HandshakeRole::kInitiator, result});
}

}  // namespace magnetar
