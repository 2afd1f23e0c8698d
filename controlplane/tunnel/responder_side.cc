// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/responder_side.h"

#include <algorithm>
#include <utility>

#include "controlplane/tunnel/log_text.h"

namespace magnetar {

void ResponderSide::on_stage_1(const UnderlayAddr& from, ByteView packet, Now now, Actions& out) {
  // A repeat is known by its bytes, before anything in them is read: the stage 2 was lost, or came
  // by another way. A fresh one would carry other keys than the tunnel has.
  const Stage1Id id = stage_1_id(packet);
  if (const Tunnel* const known = core_.tunnels.find_answered(id)) {
    out.emplace_back(SendDatagram{from, known->answer->stage_2});
    return;
  }
  handshake::Responder responder(*core_.identity, core_.settings.cipher);
  auto claim = responder.read_stage_1(packet);
  if (!claim) {
    out.emplace_back(Refused{label(claim.error())});
    return;
  }
  auto done = judge(*claim, now, out);
  if (done) done = answer(responder, *claim, from, id, now, out);
  if (done) return;
  out.emplace_back(Refused{label(done.error())});
  out.emplace_back(HandshakeEnded{HandshakeRole::kResponder, label(done.error())});
  out.emplace_back(log_refused(from, claim->certificate, done.error()));
}

Result<void, Refusal> ResponderSide::judge(const handshake::Claim& claim, Now now,
                                           Actions& out) const {
  if (auto verified = handshake::verify(claim.certificate, *core_.identity, now.wall); !verified)
    return verified;
  if (handshake::is_ourselves(claim.certificate, *core_.identity))
    return fail(Refusal::kSelfHandshake);
  if (const Tunnel* const newer = newer_tunnel(claim)) {
    // Shows whether that tunnel still works: a peer that restarted with its clock set back answers
    // with a recv_error, and its next stage 1 gets through.
    out.emplace_back(SendInSession{.session = newer->local,
                                   .type = wire::MessageType::kTest,
                                   .subtype = wire::kSubtypeTestRequest});
    return fail(Refusal::kStage1TooOld);
  }
  if (race_is_ours(claim)) return fail(Refusal::kRaceWon);
  return {};
}

const Tunnel* ResponderSide::newer_tunnel(const handshake::Claim& claim) const {
  // Tunnels we started do not count: their Time is the peer's when it answered, which is later than
  // a stage 1 it sent at the same time as we did.
  const auto tunnels = core_.tunnels.all(claim.certificate.overlay_addrs().front());
  const auto newer = std::ranges::find_if(tunnels, [&](const Tunnel* tunnel) {
    return !tunnel->initiator() && tunnel->peer_time_ns >= claim.time_ns;
  });
  return newer == tunnels.end() ? nullptr : *newer;
}

bool ResponderSide::race_is_ours(const handshake::Claim& claim) const {
  const auto theirs = claim.certificate.overlay_addrs();
  const bool raced = std::ranges::any_of(
      theirs, [&](const VpnAddr& addr) { return core_.pending.find(addr) != nullptr; });
  return raced && core_.identity->certificate.overlay_addrs().front() > theirs.front();
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
  Tunnel tunnel{.local = *local,
                .remote = claim.index,
                .identity = core_.identity,
                .overlay_addrs = claim.certificate.overlay_addrs(),
                .remote_addr = from,
                .peer_time_ns = claim.time_ns,
                .since = now.steady,
                .answer = CachedAnswer{id, std::move(written->stage_2)}};
  tunnel.peer = std::make_shared<const pki::Certificate>(std::move(claim.certificate));
  lifecycle_.open(
      {.tunnel = std::move(tunnel), .keys = keys_of_responder(std::move(written->transport))}, out);
  return {};
}

}  // namespace magnetar
