// SPDX-License-Identifier: Apache-2.0
#include "controlplane/control_plane.h"

#include "controlplane/tunnel/core.h"
#include "controlplane/tunnel/describe.h"
#include "controlplane/tunnel/initiator_side.h"
#include "controlplane/tunnel/keeper.h"
#include "controlplane/tunnel/lifecycle.h"
#include "controlplane/tunnel/path_prober.h"
#include "controlplane/tunnel/responder_side.h"
#include "controlplane/tunnel/session_events.h"

namespace magnetar {
namespace {

// What can be said of a handshake packet by its source and header alone.
std::optional<Refusal> refused_unread(const Core& core, const UnderlayAddr& from,
                                      const wire::Header& header, ByteView packet) {
  if (packet.size() < wire::Header::kSize) return Refusal::kHandshakeTooShort;
  if (packet.size() > handshake::kMaxPacketSize) return Refusal::kHandshakeTooLong;
  if (from.port == 0) return Refusal::kNoPort;
  if (core.is_own_underlay(from)) return Refusal::kOwnAddress;
  if (header.counter == Counter{1} && header.index != 0) return Refusal::kStage1Index;
  if (header.counter != Counter{1} && header.counter != Counter{2})
    return Refusal::kHandshakeCounter;
  return std::nullopt;
}

// Without a data plane to ask, every tunnel counts as in use.
class AlwaysInUse final : public TrafficSource {
 public:
  Traffic take(LocalIndex) override { return {.in = true, .out = true}; }
};

TrafficSource& source_or_default(TrafficSource* traffic) {
  static AlwaysInUse always;
  return traffic == nullptr ? always : *traffic;
}

void describe(const pki::CertificateFacts& certificate, TunnelView& view) {
  view.name = certificate.name;
  view.groups = certificate.groups;
  view.cert_fingerprint = certificate.fingerprint;
  view.cert_expires = certificate.not_after;
  view.cert_version = certificate.version;
}

}  // namespace

struct ControlPlane::Impl {
  Impl(std::shared_ptr<const Identity> identity, ControlSettings settings, RandomSource& random,
       TrafficSource* traffic)
      : core(std::move(identity), std::move(settings), random, source_or_default(traffic)) {}
  Impl(const Impl& other, RandomSource& random, TrafficSource* traffic)
      : core(other.core, random, source_or_default(traffic)) {}

  Core core;
  Lifecycle lifecycle{core};
  InitiatorSide initiator{core, lifecycle};
  ResponderSide responder{core, lifecycle, initiator};
  PathProber prober{core};
  SessionEvents sessions{core, lifecycle, prober};
  Keeper keeper{core, lifecycle, initiator};
};

ControlPlane::ControlPlane(std::shared_ptr<const Identity> identity, ControlSettings settings,
                           RandomSource& random, TrafficSource* traffic)
    : impl_(std::make_unique<Impl>(std::move(identity), std::move(settings), random, traffic)) {}

ControlPlane::ControlPlane(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ControlPlane::~ControlPlane() = default;

void ControlPlane::on_handshake(const UnderlayAddr& from, const wire::Header& header,
                                ByteView packet, Now now, Actions& out) {
  if (const auto refusal = refused_unread(impl_->core, from, header, packet))
    out.emplace_back(Refused{label(*refusal)});
  else if (header.counter == Counter{1})
    impl_->responder.on_stage_1(from, packet, now, out);
  else
    impl_->initiator.on_stage_2(from, LocalIndex{header.index}, packet, now, out);
}

void ControlPlane::on_recv_error(const UnderlayAddr& from, const wire::Header& header, Now,
                                 Actions& out) {
  impl_->sessions.on_recv_error(from, RemoteIndex{header.index}, out);
}

void ControlPlane::on_unknown_index(const UnderlayAddr& from, const wire::Header& header, Now now,
                                    Actions& out) {
  impl_->sessions.on_unknown_index(from, LocalIndex{header.index}, now, out);
}

void ControlPlane::on_forged(LocalIndex session, const UnderlayAddr& from, const wire::Header&,
                             Now now, Actions& out) {
  impl_->sessions.on_forged(session, from, now, out);
}

void ControlPlane::on_session_message(LocalIndex session, const wire::Header& header,
                                      ByteView plaintext, Now now, Actions& out) {
  impl_->sessions.on_message(session, header, plaintext, now, out);
}

void ControlPlane::on_packet_without_tunnel(VpnAddr to, QueuedPacket packet, Now now,
                                            Actions& out) {
  impl_->initiator.on_packet(to, std::move(packet), now, out);
}

void ControlPlane::on_moved(LocalIndex session, const UnderlayAddr& from, Now now, Actions& out) {
  impl_->sessions.on_moved(session, from, now, out);
}

void ControlPlane::on_time(Now now, Actions& out) {
  impl_->initiator.on_time(now, out);
  impl_->lifecycle.forget_stood_down(now, out);
  impl_->keeper.on_time(now, out);
  impl_->prober.on_time(now, out);
}

std::optional<Instant> ControlPlane::next_timeout() const {
  const Core& core = impl_->core;
  std::optional<Instant> first;
  for (const auto& due : {core.pending.next_timeout(), core.stood_down.next_timeout(),
                          core.tunnels.next_timeout(), core.paths.next_timeout()})
    if (due && (!first || *due < *first)) first = due;
  return first;
}

bool ControlPlane::close(VpnAddr peer, Now, Actions& out) {
  Core& core = impl_->core;
  bool any = core.pending.find(peer) != nullptr;
  impl_->lifecycle.end_pending(peer, kHandshakeClosed, out);
  while (const Tunnel* const tunnel = core.tunnels.primary(peer)) {
    impl_->lifecycle.close_and_tell(tunnel->local, "operator", out);
    any = true;
  }
  return any;
}

void ControlPlane::close_all(Now, Actions& out) {
  Core& core = impl_->core;
  while (core.pending.size() > 0)
    impl_->lifecycle.end_pending(VpnAddr(core.pending.by_target().begin()->first), kHandshakeClosed,
                                 out);
  while (core.tunnels.size() > 0)
    impl_->lifecycle.close_and_tell(core.tunnels.by_local().begin()->first, "shutdown", out);
}

void ControlPlane::replace_identity(std::shared_ptr<const Identity> identity) {
  impl_->core.identity = std::move(identity);
}

void ControlPlane::replace_static_remotes(std::map<VpnAddr, std::vector<UnderlayAddr>> remotes) {
  impl_->core.settings.static_remotes = std::move(remotes);
  impl_->core.wrong_addresses.forget_all();  // who changed them knows better
}

std::vector<TunnelView> ControlPlane::tunnels() const {
  const Core& core = impl_->core;
  std::vector<TunnelView> views;
  for (const auto& [local, tunnel] : core.tunnels.by_local()) {
    TunnelView& view = views.emplace_back();
    view.overlay_addrs = tunnel->overlay_addrs;
    view.remote = tunnel->remote_addr;
    view.local_index = local;
    view.remote_index = tunnel->remote;
    view.up = true;
    view.primary = impl_->lifecycle.is_primary(*tunnel);
    view.initiator = tunnel->initiator();
    view.since = tunnel->since;
    if (const PathState* path = core.paths.find(local)) view.path_mtu = path->search.mtu();
    view.own_cert_version = tunnel->own_version;
    describe(*tunnel->peer, view);
  }
  for (const auto& [target, pending] : core.pending.by_target()) {
    TunnelView& view = views.emplace_back();
    view.overlay_addrs = {target};
    view.local_index = pending.initiator.local();
    view.initiator = true;
    view.since = pending.started;
  }
  return views;
}

std::unique_ptr<ControlPlane> ControlPlane::clone(RandomSource& random,
                                                  TrafficSource* traffic) const {
  return std::unique_ptr<ControlPlane>(
      new ControlPlane(std::make_unique<Impl>(*impl_, random, traffic)));
}

void ControlPlane::describe_state(Now now, DigestSink& sink) const {
  magnetar::describe_state(impl_->core, now, sink);
}

std::size_t ControlPlane::tunnels_up() const { return impl_->core.tunnels.size(); }

std::size_t ControlPlane::tunnels_pending() const { return impl_->core.pending.size(); }

}  // namespace magnetar
