// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/initiator_side.h"

#include <algorithm>
#include <utility>

#include "controlplane/tunnel/log_text.h"
#include "controlplane/tunnel/mutation.h"

namespace magnetar {
namespace {

// Addresses a peer's stage 1 came from while ours went on: the newest.
constexpr std::size_t kMaxLearned = 4;

void refused(Refusal why, Actions& out) { out.emplace_back(Refused{label(why)}); }

Tunnel tunnel_of(const handshake::Initiator& initiator, handshake::Claim claim,
                 const UnderlayAddr& from, Now now) {
  Tunnel tunnel{.local = initiator.local(),
                .remote = claim.index,
                .identity = initiator.identity(),
                .own_version = initiator.version(),
                .overlay_addrs = initiator.identity()->served(claim.certificate.overlay_addrs(),
                                                              initiator.version()),
                .remote_addr = from,
                .peer_time_ns = claim.time_ns,
                .since = now.steady,
                .confirmed = true};
  tunnel.peer = std::make_shared<const pki::CertificateFacts>(std::move(claim.certificate));
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
    if (core_.configured_for(to).empty()) return refused(Refusal::kNoAddress, out);
    const auto version = version_for(to);
    if (!version) return refused(Refusal::kNoOwnCert, out);
    pending = start(to, *version, now, out);
    if (pending == nullptr) return;
    transmit(*pending, now, out);
  }
  if (pending->queue.size() >= core_.settings.queued_packets)
    return refused(Refusal::kQueueFull, out);
  pending->queue.push_back(std::move(packet));
}

// Wire.md 3.7. None: only a certificate would do that we do not have.
std::optional<std::uint8_t> InitiatorSide::version_for(const VpnAddr& target) const {
  const Identity& identity = *core_.identity;
  const bool needs_2 =
      identity.certificate.version == 1 && !identity.speaks_to(target, identity.certificate);
  if (!needs_2) return identity.certificate.version;
  if (identity.find(2) == nullptr) return std::nullopt;
  return std::uint8_t{2};
}

Pending* InitiatorSide::start(const VpnAddr& target, std::uint8_t version, Now now, Actions& out) {
  const auto local = core_.indexes.allocate(core_.random);
  if (!local) {
    refused(Refusal::kTableFull, out);
    return nullptr;
  }
  if (!mutated(Rule::kEarlyDataWaits)) out.emplace_back(AwaitSession{*local});
  handshake::Initiator initiator({.identity = core_.identity,
                                  .cipher = core_.settings.cipher,
                                  .local = *local,
                                  .time_ns = core_.stamp(now.wall),
                                  .version = version},
                                 core_.draw_ephemeral());
  return &core_.pending.add({.target = target,
                             .initiator = std::move(initiator),
                             .started = now.steady,
                             .due = now.steady});
}

void InitiatorSide::transmit(Pending& pending, Now now, Actions& out) {
  if (pending.sends >= core_.settings.retries && !mutated(Rule::kAttemptsEnd))
    return give_up(pending, out);
  ++pending.sends;
  for (const UnderlayAddr& remote : remotes_of(pending, now))
    out.emplace_back(SendDatagram{remote, pending.initiator.stage_1()});
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

std::vector<UnderlayAddr> InitiatorSide::remotes_of(const Pending& pending, Now now) {
  std::vector<UnderlayAddr> remotes = core_.configured_for(pending.target);
  for (const UnderlayAddr& addr : pending.learned)
    if (std::ranges::find(remotes, addr) == remotes.end()) remotes.push_back(addr);
  std::erase_if(remotes, [&](const UnderlayAddr& addr) {
    return core_.wrong_addresses.contains(pending.target, addr, now.steady);
  });
  return remotes;
}

void InitiatorSide::rehandshake(const VpnAddr& target, const UnderlayAddr& seen_at,
                                std::uint8_t version, Now now, Actions& out) {
  Pending* const pending = start(target, version, now, out);
  if (pending == nullptr) return;
  pending->learned.push_back(seen_at);
  transmit(*pending, now, out);
}

// Our addresses for it may be wrong or closed to us, and it will not start again while it waits.
void InitiatorSide::learn(Pending& pending, const UnderlayAddr& from, Now now, Actions& out) {
  const auto known = remotes_of(pending, now);
  if (std::ranges::find(known, from) != known.end()) return;
  if (pending.learned.size() == kMaxLearned) pending.learned.erase(pending.learned.begin());
  pending.learned.push_back(from);
  if (!core_.wrong_addresses.contains(pending.target, from, now.steady))
    out.emplace_back(SendDatagram{from, pending.initiator.stage_1()});
}

void InitiatorSide::on_time(Now now, Actions& out) {
  while (Pending* const pending = core_.pending.next_due(now.steady)) transmit(*pending, now, out);
}

void InitiatorSide::on_stage_2(const UnderlayAddr& from, LocalIndex index, ByteView packet, Now now,
                               Actions& out) {
  Pending* pending = core_.pending.find(index);
  const bool stood_down = pending == nullptr;
  PendingTable& table = stood_down ? core_.stood_down : core_.pending;
  if (stood_down) pending = table.find(index);
  if (pending == nullptr && mutated(Rule::kLateStage2Ignored) && core_.pending.size() > 0)
    lifecycle_.end_pending(VpnAddr(core_.pending.by_target().begin()->first), "late", out);
  if (pending == nullptr) return refused(Refusal::kStage2Unknown, out);
  auto reply = pending->initiator.read_stage_2(packet);
  if (!reply && mutated(Rule::kTransactionalRead))
    return lifecycle_.end_pending(VpnAddr(pending->target), "spoiled", out);
  if (!reply) return refused(reply.error(), out);
  const pki::Certificate& certificate = reply->claim.certificate;
  if (const auto judged = judge(certificate, now); !judged)
    return refuse(*pending, from, certificate, judged.error(), out);
  const VpnAddr target = pending->target;
  const auto addrs = certificate.overlay_addrs();
  const bool right =
      std::ranges::find(addrs, target) != addrs.end() || mutated(Rule::kCertificateNamesTarget);
  Pending taken = *table.take(target);
  if (right) return complete(std::move(taken), stood_down, std::move(*reply), from, now, out);
  dismiss(taken, std::move(*reply), from, now, out);
  if (!stood_down) restart_elsewhere(std::move(taken), from, now, out);
}

Result<void, Refusal> InitiatorSide::judge(const pki::Certificate& certificate, Now now) {
  const auto verified = handshake::verify(certificate, *core_.identity, now.wall, core_.verifier);
  if (!verified) return verified;
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

void InitiatorSide::complete(Pending pending, bool spare, handshake::Initiator::Reply reply,
                             const UnderlayAddr& from, Now now, Actions& out) {
  const LocalIndex local = pending.initiator.local();
  // The peer goes on with the tunnel it has until it has heard us on the new one.
  const bool replaces = !spare && core_.tunnels.primary(pending.target) != nullptr;
  std::vector<Waiting> waiting;
  waiting.push_back({pending.target, std::move(pending.queue)});
  lifecycle_.open({.tunnel = tunnel_of(pending.initiator, std::move(reply.claim), from, now),
                   .keys = keys_of_initiator(std::move(reply.transport)),
                   .waiting = std::move(waiting),
                   .took = now.steady - pending.started,
                   .spare = spare},
                  now, out);
  if (!replaces) return;
  out.emplace_back(SendInSession{
      .session = local, .type = wire::MessageType::kTest, .subtype = wire::kSubtypeTestRequest});
}

void InitiatorSide::dismiss(const Pending& wrong, handshake::Initiator::Reply reply,
                            const UnderlayAddr& from, Now now, Actions& out) {
  const LocalIndex dead = wrong.initiator.local();
  out.emplace_back(
      LogEvent{LogLevel::kWarning,
               "event=\"wrong responder\" peer=" + wrong.target.to_string() +
                   " answered=" + reply.claim.certificate.overlay_addrs()[0].to_string() +
                   " name=" + quoted(reply.claim.certificate.name) + " from=" + from.to_string()});
  refused(Refusal::kWrongResponder, out);
  out.emplace_back(HandshakeEnded{HandshakeRole::kInitiator, label(Refusal::kWrongResponder)});
  out.emplace_back(session_of(tunnel_of(wrong.initiator, std::move(reply.claim), from, now),
                              keys_of_initiator(std::move(reply.transport))));
  if (!mutated(Rule::kWrongHostTold))
    out.emplace_back(SendInSession{.session = dead, .type = wire::MessageType::kCloseTunnel});
  out.emplace_back(CloseSession{dead});
  if (!mutated(Rule::kWrongAddressBlocked))
    core_.wrong_addresses.add(wrong.target, from, now.steady);
  // Given back before anything new begins, so that a full table cannot stop the next attempt.
  core_.indexes.release(dead);
}

// Section 7.1: the index is dead, and the packets wait for a new attempt that leaves the address of
// the wrong host out.
void InitiatorSide::restart_elsewhere(Pending wrong, const UnderlayAddr& from, Now now,
                                      Actions& out) {
  // The identity may have changed since the attempt began.
  const std::uint8_t version = core_.identity->answer_to(wrong.initiator.version()).version;
  Pending* const next = start(wrong.target, version, now, out);
  next->learned = std::move(wrong.learned);
  std::erase(next->learned, from);
  if (!mutated(Rule::kQueueSurvivesWrongHost)) next->queue = std::move(wrong.queue);
  transmit(*next, now, out);
}

}  // namespace magnetar
