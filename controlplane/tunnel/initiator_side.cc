// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/initiator_side.h"

#include <algorithm>
#include <utility>

#include "controlplane/tunnel/log_text.h"

namespace magnetar {
namespace {

void refused(Refusal why, Actions& out) { out.emplace_back(Refused{label(why)}); }

Tunnel tunnel_of(const handshake::Initiator& initiator, handshake::Claim claim,
                 const UnderlayAddr& from, Now now) {
  Tunnel tunnel{.local = initiator.local(),
                .remote = claim.index,
                .identity = initiator.identity(),
                .overlay_addrs = claim.certificate.overlay_addrs(),
                .remote_addr = from,
                .peer_time_ns = claim.time_ns,
                .since = now.steady};
  tunnel.peer = std::make_shared<const pki::Certificate>(std::move(claim.certificate));
  return tunnel;
}

}  // namespace

void InitiatorSide::on_packet(const VpnAddr& to, QueuedPacket packet, Now now, Actions& out) {
  if (core_.is_own_overlay(to)) return refused(Refusal::kToOurselves, out);
  if (const Tunnel* const tunnel = core_.tunnels.primary(to)) {  // it came up meanwhile
    std::vector<QueuedPacket> one;
    one.push_back(std::move(packet));
    out.emplace_back(SendQueued{tunnel->local, std::move(one)});
    return;
  }
  Pending* pending = core_.pending.find(to);
  if (pending == nullptr) {
    if (remotes_of(to).empty()) return refused(Refusal::kNoAddress, out);
    pending = start(to, now, out);
    if (pending == nullptr) return;
    transmit(*pending, now, out);
  }
  if (pending->queue.size() >= core_.settings.queued_packets)
    return refused(Refusal::kQueueFull, out);
  pending->queue.push_back(std::move(packet));
}

Pending* InitiatorSide::start(const VpnAddr& target, Now now, Actions& out) {
  const auto local = core_.indexes.allocate(core_.random);
  if (!local) {
    refused(Refusal::kTableFull, out);
    return nullptr;
  }
  handshake::Initiator initiator({.identity = core_.identity,
                                  .cipher = core_.settings.cipher,
                                  .local = *local,
                                  .time_ns = core_.stamp(now.wall)},
                                 core_.draw_ephemeral());
  return &core_.pending.add({.target = target,
                             .initiator = std::move(initiator),
                             .started = now.steady,
                             .due = now.steady});
}

void InitiatorSide::transmit(Pending& pending, Now now, Actions& out) {
  if (pending.sends >= core_.settings.retries) return give_up(pending, out);
  ++pending.sends;
  for (const UnderlayAddr& remote : remotes_of(pending.target)) {
    if (std::ranges::find(pending.blocked, remote) == pending.blocked.end())
      out.emplace_back(SendDatagram{remote, pending.initiator.stage_1()});
  }
  // From when it was due, not from when it ran: a late timer does not shift the schedule.
  core_.pending.reschedule(pending, pending.due + core_.settings.try_interval * pending.sends);
  if (pending.due <= now.steady)
    core_.pending.reschedule(pending, now.steady + core_.settings.try_interval);
}

void InitiatorSide::give_up(const Pending& pending, Actions& out) {
  const VpnAddr target = pending.target;
  const std::string_view result =
      pending.last_refused ? label(*pending.last_refused) : kHandshakeTimeout;
  out.emplace_back(LogEvent{
      LogLevel::kInfo,
      "event=\"handshake failed\" peer=" + target.to_string() + " reason=" + std::string(result)});
  lifecycle_.end_pending(target, result, out);
}

std::vector<UnderlayAddr> InitiatorSide::remotes_of(const VpnAddr& target) const {
  std::vector<UnderlayAddr> remotes;
  const auto known = core_.settings.static_remotes.find(target);
  if (known == core_.settings.static_remotes.end()) return remotes;
  for (const UnderlayAddr& addr : known->second)
    if (!core_.is_own_underlay(addr)) remotes.push_back(addr);
  return remotes;
}

void InitiatorSide::on_time(Now now, Actions& out) {
  while (Pending* const pending = core_.pending.next_due(now.steady)) transmit(*pending, now, out);
}

void InitiatorSide::on_stage_2(const UnderlayAddr& from, LocalIndex index, ByteView packet, Now now,
                               Actions& out) {
  Pending* const pending = core_.pending.find(index);
  if (pending == nullptr) return refused(Refusal::kStage2Unknown, out);
  auto reply = pending->initiator.read_stage_2(packet);
  if (!reply) return refused(reply.error(), out);
  const pki::Certificate& certificate = reply->claim.certificate;
  if (const auto judged = judge(certificate, now); !judged)
    return refuse(*pending, from, certificate, judged.error(), out);
  const VpnAddr target = pending->target;
  const auto addrs = certificate.overlay_addrs();
  if (std::ranges::find(addrs, target) == addrs.end())
    return restart_elsewhere(target, std::move(*reply), from, now, out);
  complete(target, std::move(*reply), from, now, out);
}

Result<void, Refusal> InitiatorSide::judge(const pki::Certificate& certificate, Now now) const {
  if (auto verified = handshake::verify(certificate, *core_.identity, now.wall); !verified)
    return verified;
  if (handshake::is_ourselves(certificate, *core_.identity)) return fail(Refusal::kSelfHandshake);
  return {};
}

// Anybody can answer with a certificate of his own, so this does not end the handshake (Nebula's
// would): another address may still bring the right host. It ends with this reason if none does.
void InitiatorSide::refuse(Pending& pending, const UnderlayAddr& from,
                           const pki::Certificate& certificate, Refusal why, Actions& out) {
  pending.last_refused = why;
  refused(why, out);
  out.emplace_back(log_refused(from, certificate, why));
}

void InitiatorSide::complete(const VpnAddr& target, handshake::Initiator::Reply reply,
                             const UnderlayAddr& from, Now now, Actions& out) {
  auto pending = core_.pending.take(target);
  lifecycle_.open({.tunnel = tunnel_of(pending->initiator, std::move(reply.claim), from, now),
                   .keys = keys_of_initiator(std::move(reply.transport)),
                   .queue = std::move(pending->queue),
                   .took = now.steady - pending->started},
                  out);
}

// Section 7.1: the wrong host holds a good tunnel to our index. It is told to drop it, the index
// dies, and the packets wait for a new attempt that leaves this address out.
void InitiatorSide::restart_elsewhere(const VpnAddr& target, handshake::Initiator::Reply reply,
                                      const UnderlayAddr& from, Now now, Actions& out) {
  auto wrong = core_.pending.take(target);
  const LocalIndex dead = wrong->initiator.local();
  out.emplace_back(LogEvent{
      LogLevel::kWarning, "event=\"wrong responder\" peer=" + target.to_string() + " answered=" +
                              reply.claim.certificate.overlay_addrs()[0].to_string() + " name=" +
                              quoted(reply.claim.certificate.name) + " from=" + from.to_string()});
  refused(Refusal::kWrongResponder, out);
  out.emplace_back(HandshakeEnded{HandshakeRole::kInitiator, label(Refusal::kWrongResponder)});
  out.emplace_back(session_of(tunnel_of(wrong->initiator, std::move(reply.claim), from, now),
                              keys_of_initiator(std::move(reply.transport))));
  out.emplace_back(SendInSession{.session = dead, .type = wire::MessageType::kCloseTunnel});
  out.emplace_back(CloseSession{dead});

  // The dead index is given back first, so that a full table cannot stop the new attempt.
  core_.indexes.release(dead);
  Pending* const next = start(target, now, out);
  next->blocked = std::move(wrong->blocked);
  next->blocked.push_back(from);
  next->queue = std::move(wrong->queue);
  transmit(*next, now, out);
}

}  // namespace magnetar
