// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/lifecycle.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "controlplane/tunnel/log_text.h"
#include "controlplane/tunnel/mutation.h"
#include "controlplane/tunnel/path_prober.h"

namespace magnetar {
namespace {

// How long after an attempt stood down its stage 2 may still come: the life of the peer's attempt.
constexpr Duration kStoodDownFor = std::chrono::seconds(7);
// A spare tunnel is asked for its first packet so soon, and then at twice the time each.
constexpr Duration kFirstPoll = std::chrono::milliseconds(50);

void queue_lost(const std::vector<QueuedPacket>& queue, Actions& out) {
  for (std::size_t i = 0; i < queue.size(); ++i)
    out.emplace_back(Refused{label(Refusal::kQueueLost)});
}

}  // namespace

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

void Lifecycle::open(NewTunnel fresh, Now now, Actions& out) {
  Actions ended;  // reported after the tunnel stands
  supersede(fresh.tunnel.overlay_addrs, fresh.waiting, now, ended);
  for (const VpnAddr& addr : fresh.tunnel.overlay_addrs) core_.wrong_addresses.forget(addr);

  const bool spare = fresh.spare || yields(fresh.tunnel, now, out);
  fresh.tunnel.preferred_at = now.steady;
  if (spare && !fresh.tunnel.confirmed) fresh.tunnel.poll = kFirstPoll;
  fresh.tunnel.check_at =
      now.steady +
      (fresh.tunnel.poll > Duration::zero() ? kFirstPoll : core_.settings.alive_interval);
  const auto place = spare ? TunnelTable::Place::kSpare : TunnelTable::Place::kFirst;
  const Tunnel& tunnel = core_.tunnels.insert(std::move(fresh.tunnel), place);
  begin_path(core_, tunnel, now);
  out.emplace_back(session_of(tunnel, std::move(fresh.keys)));
  if (tunnel.answer)
    out.emplace_back(SendDatagram{tunnel.remote_addr, tunnel.answer->stage_2, !spare});
  send_waiting(std::move(fresh.waiting), out);
  for (const VpnAddr& addr : tunnel.overlay_addrs)
    if (core_.tunnels.primary(addr) == &tunnel) out.emplace_back(RoutePeer{addr, tunnel.local});
  if (tunnel.confirmed) core_.handshakes.vouch_for(tunnel.remote_addr.ip);
  evict_beyond_limit(tunnel, out);
  std::ranges::move(ended, std::back_inserter(out));
  const auto role = tunnel.initiator() ? HandshakeRole::kInitiator : HandshakeRole::kResponder;
  out.emplace_back(HandshakeEnded{role, kHandshakeOk, fresh.took});
  out.emplace_back(log_tunnel_up(tunnel));
}

bool Lifecycle::yields(const Tunnel& fresh, Now now, Actions& out) {
  if (fresh.confirmed || mutated(Rule::kUnconfirmedIsSpare)) return false;
  for (const VpnAddr& addr : fresh.overlay_addrs) {
    Tunnel* const standing = core_.tunnels.primary(addr);
    if (standing == nullptr) continue;
    ask_traffic(*standing, now, out);
    // Of two that nobody has confirmed, the peer started the one with the later Time last.
    const bool works = standing->confirmed || standing->peer_time_ns > fresh.peer_time_ns;
    if (works && (standing->in || !standing->doomed)) return true;
  }
  return false;
}

void Lifecycle::supersede(const std::vector<VpnAddr>& addrs, std::vector<Waiting>& waiting, Now now,
                          Actions& out) {
  for (const VpnAddr& addr : addrs) {
    if (mutated(Rule::kLoserStandsDown)) continue;
    auto pending = core_.pending.take(addr);
    if (!pending) continue;
    if (mutated(Rule::kQueueMoves)) pending->queue.clear();
    waiting.push_back({pending->target, std::move(pending->queue)});
    stand_down(std::move(*pending), now, out);
    out.emplace_back(HandshakeEnded{HandshakeRole::kInitiator, kHandshakeSuperseded});
  }
}

void Lifecycle::send_waiting(std::vector<Waiting> waiting, Actions& out) {
  for (auto& [target, queue] : waiting) {
    // None: our certificate changed meanwhile, and the one that was shown has no network for it.
    const Tunnel* const used = core_.tunnels.primary(target);
    if (used == nullptr)
      queue_lost(queue, out);
    else if (!queue.empty())
      out.emplace_back(SendQueued{used->local, std::move(queue)});
  }
}

void Lifecycle::stand_down(Pending pending, Now now, Actions& out) {
  if (const auto older = core_.stood_down.take(pending.target))
    release_attempt(older->initiator.local(), out);
  pending.queue.clear();
  pending.due = now.steady + (mutated(Rule::kLoserHearsLateStage2) ? Duration{} : kStoodDownFor);
  core_.stood_down.add(std::move(pending));
}

void Lifecycle::forget_stood_down(Now now, Actions& out) {
  while (const Pending* const pending = core_.stood_down.next_due(now.steady)) {
    release_attempt(pending->initiator.local(), out);
    const VpnAddr target = pending->target;
    (void)core_.stood_down.take(target);
  }
}

// The oldest goes. But first those that nobody has confirmed: a stage 1 can be made up, and so many
// of them must not push out the tunnel that works.
void Lifecycle::evict_beyond_limit(const Tunnel& newest, Actions& out) {
  for (const VpnAddr& addr : newest.overlay_addrs) {
    while (core_.tunnels.all(addr).size() > TunnelTable::kMaxPerPeer) {
      const auto all = core_.tunnels.all(addr);
      const Tunnel* victim = all.back();
      for (std::size_t i = all.size() - 1; i > 0; --i) {
        if (all[i]->confirmed || all[i] == &newest) continue;
        victim = all[i];
        break;
      }
      close(victim->local, "too_many", out);
    }
  }
}

bool Lifecycle::is_primary(const Tunnel& tunnel) const {
  return std::ranges::any_of(tunnel.overlay_addrs, [&](const VpnAddr& addr) {
    return core_.tunnels.primary(addr) == &tunnel;
  });
}

void Lifecycle::prefer(Tunnel& tunnel, Now now, Actions& out) {
  for (const VpnAddr& addr : tunnel.overlay_addrs)
    if (core_.tunnels.primary(addr) != &tunnel) out.emplace_back(RoutePeer{addr, tunnel.local});
  core_.tunnels.prefer(tunnel);
  tunnel.preferred_at = now.steady;
  tunnel.out = true;
}

bool Lifecycle::note_heard(Tunnel& tunnel, Now now) {
  tunnel.in = true;
  if (tunnel.confirmed) return false;
  tunnel.confirmed = true;
  core_.handshakes.vouch_for(tunnel.remote_addr.ip);
  for (const VpnAddr& addr : tunnel.peer->overlay_addrs())
    core_.newest_times.note(addr, tunnel.peer_time_ns, now.steady);
  if (tunnel.poll > Duration::zero()) {
    tunnel.poll = Duration::zero();
    core_.tunnels.reschedule(tunnel, now.steady + core_.settings.alive_interval);
  }
  return true;
}

void Lifecycle::heard(Tunnel& tunnel, Now now, Actions& out) {
  if (!note_heard(tunnel, now)) return;
  // One that we completed after this one began stays, unless it is the peer who decides.
  const auto gives_way = [&](const Tunnel* used) {
    return !used->confirmed || used->since <= tunnel.since || core_.peer_decides(tunnel);
  };
  const auto others = core_.tunnels.used_beside(tunnel);
  if (!others.empty() && std::ranges::all_of(others, gives_way)) prefer(tunnel, now, out);
}

void Lifecycle::ask_traffic(Tunnel& tunnel, Now now, Actions& out) {
  const Traffic seen = core_.traffic.take(tunnel.local);
  tunnel.out = tunnel.out || seen.out;
  tunnel.send_counter = seen.send_counter;
  if (seen.in) heard(tunnel, now, out);
}

void Lifecycle::close(LocalIndex local, std::string_view why, Actions& out) {
  const Tunnel* const tunnel = core_.tunnels.find(local);
  if (tunnel == nullptr) return;
  std::vector<VpnAddr> routed;  // through the tunnel that goes
  std::ranges::copy_if(tunnel->overlay_addrs, std::back_inserter(routed),
                       [&](const VpnAddr& addr) { return core_.tunnels.primary(addr) == tunnel; });
  LogEvent log = log_tunnel_down(*tunnel, why);
  core_.tunnels.erase(local);
  core_.paths.erase(local);
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

void Lifecycle::close_lost(LocalIndex local, std::string_view why, Actions& out) {
  if (const Tunnel* const tunnel = core_.tunnels.find(local)) {
    const auto is_it = [&](const Tunnel* one) { return one == tunnel; };
    for (const VpnAddr& addr : tunnel->peer->overlay_addrs())
      if (std::ranges::all_of(core_.tunnels.all(addr), is_it)) core_.newest_times.forget(addr);
  }
  close(local, why, out);
}

void Lifecycle::release_attempt(LocalIndex local, Actions& out) {
  core_.indexes.release(local);
  if (!mutated(Rule::kEarlyDataWaits)) out.emplace_back(UnawaitSession{local});
}

void Lifecycle::end_pending(const VpnAddr& target, std::string_view result, Actions& out) {
  const auto pending = core_.pending.take(target);
  if (!pending) return;
  release_attempt(pending->initiator.local(), out);
  queue_lost(pending->queue, out);
  out.emplace_back(HandshakeEnded{HandshakeRole::kInitiator, result});
}

}  // namespace magnetar
