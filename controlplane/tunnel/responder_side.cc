// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/responder_side.h"

#include <algorithm>
#include <utility>

#include "controlplane/tunnel/log_text.h"
#include "controlplane/tunnel/mutation.h"

namespace magnetar {
namespace {

// How much older than its answer to us a peer's own stage 1 may be: the life of an attempt, with
// more retries than the defaults.
constexpr std::uint64_t kConcurrentNs = 30'000'000'000;

}  // namespace

void ResponderSide::on_stage_1(const UnderlayAddr& from, ByteView packet, Now now, Actions& out) {
  // A repeat is known by its bytes, before anything in them is read: the stage 2 was lost, or came
  // by another way. A fresh one would carry other keys than the tunnel has.
  const Stage1Id id = stage_1_id(packet);
  if (const Tunnel* const known = core_.tunnels.find_answered(id);
      known != nullptr && !mutated(Rule::kCachedStage2)) {
    out.emplace_back(SendDatagram{from, known->answer->stage_2});
    return;
  }
  handshake::Responder responder(*core_.identity, core_.settings.cipher);
  auto claim = responder.read_stage_1(packet);
  if (!claim) {
    out.emplace_back(Refused{label(claim.error())});
    return;
  }
  auto done = judge(*claim, from, now, out);
  if (done) done = answer(responder, *claim, from, id, now, out);
  if (done) return;
  out.emplace_back(Refused{label(done.error())});
  out.emplace_back(HandshakeEnded{HandshakeRole::kResponder, label(done.error())});
  out.emplace_back(log_refused(from, claim->certificate, done.error()));
}

Result<void, Refusal> ResponderSide::judge(const handshake::Claim& claim, const UnderlayAddr& from,
                                           Now now, Actions& out) {
  if (auto cheap = judge_cheaply(claim, now); !cheap) return cheap;
  if (!core_.handshakes.admit(from.ip, now.steady)) return fail(Refusal::kHandshakeRateLimited);
  const auto verified =
      handshake::verify(claim.certificate, *core_.identity, now.wall, core_.verifier);
  if (!verified) return verified;
  if (Tunnel* const newer = newer_tunnel(claim, now, out)) {
    ask(*newer, out);
    return fail(Refusal::kStage1TooOld);
  }
  for (const VpnAddr& addr : claim.certificate.overlay_addrs())
    if (core_.newest_times.is_old(addr, claim.time_ns, now.steady))
      return fail(Refusal::kStage1TooOld);
  if (Pending* const ours = race_won(claim)) {
    initiator_.learn(*ours, from, now, out);
    return fail(Refusal::kRaceWon);
  }
  return {};
}

Result<void, Refusal> ResponderSide::judge_cheaply(const handshake::Claim& claim, Now now) const {
  const Identity& identity = *core_.identity;
  const auto good = identity.cas.recheck(claim.certificate, now.wall, identity.blocklist);
  // What depends on the signature is said of a certificate only once that has been verified.
  if (!good) return fail(refusal_of(good.error()));
  if (handshake::is_ourselves(claim.certificate, identity)) return fail(Refusal::kSelfHandshake);
  return {};
}

// Shows whether a tunnel still works: a peer that restarted with its clock set back answers with a
// recv_error, and its next stage 1 gets through. Not once for each: whoever recorded one stage 1
// could have the peer flooded with tests.
void ResponderSide::ask(Tunnel& tunnel, Actions& out) {
  if (std::exchange(tunnel.asked, true)) return;
  out.emplace_back(SendInSession{.session = tunnel.local,
                                 .type = wire::MessageType::kTest,
                                 .subtype = wire::kSubtypeTestRequest});
}

std::vector<Tunnel*> ResponderSide::all_with(const handshake::Claim& claim) const {
  std::vector<Tunnel*> found;
  for (const VpnAddr& addr : claim.certificate.overlay_addrs())
    for (Tunnel* const tunnel : core_.tunnels.all(addr))
      if (std::ranges::find(found, tunnel) == found.end()) found.push_back(tunnel);
  return found;
}

Tunnel* ResponderSide::newer_tunnel(const handshake::Claim& claim, Now now, Actions& out) {
  for (Tunnel* const tunnel : all_with(claim)) {
    lifecycle_.ask_traffic(*tunnel, now, out);
    if (!tunnel->confirmed) continue;  // its Time may be made up
    // In one that we started it is the Time of the peer's answer, and a stage 1 that the peer sent
    // at the same time as we did is a little older.
    const std::uint64_t allowed = tunnel->initiator() ? kConcurrentNs : 0;
    if (tunnel->peer_time_ns >= allowed && tunnel->peer_time_ns - allowed >= claim.time_ns)
      return tunnel;
  }
  return nullptr;
}

// The higher overlay address stays the initiator.
Pending* ResponderSide::race_won(const handshake::Claim& claim) {
  const auto theirs = claim.certificate.overlay_addrs();
  if (core_.identity->overlay_addrs().front() < theirs.front() &&
      !mutated(Rule::kHigherAddressWins))
    return nullptr;
  for (const VpnAddr& addr : theirs)
    if (Pending* const ours = core_.pending.find(addr)) return ours;
  return nullptr;
}

Result<void, Refusal> ResponderSide::answer(handshake::Responder& responder,
                                            handshake::Claim& claim, const UnderlayAddr& from,
                                            const Stage1Id& id, Now now, Actions& out) {
  const auto local = core_.indexes.allocate(core_.random);
  if (!local) return fail(Refusal::kTableFull);
  auto written =
      responder.write_stage_2(claim, *local, core_.stamp(now.wall), core_.draw_ephemeral());
  if (!written) {
    core_.indexes.release(*local);
    return fail(written.error());
  }
  Tunnel tunnel{
      .local = *local,
      .remote = claim.index,
      .identity = core_.identity,
      .own_version = written->version,
      .overlay_addrs = core_.identity->served(claim.certificate.overlay_addrs(), written->version),
      .remote_addr = from,
      .peer_time_ns = claim.time_ns,
      .since = now.steady,
      .answer = CachedAnswer{id, std::move(written->stage_2)}};
  tunnel.peer = std::make_shared<const pki::CertificateFacts>(std::move(claim.certificate));
  lifecycle_.open(
      {.tunnel = std::move(tunnel), .keys = keys_of_responder(std::move(written->transport))}, now,
      out);
  return {};
}

}  // namespace magnetar
