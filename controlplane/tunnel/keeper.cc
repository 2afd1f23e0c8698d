// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/keeper.h"

#include <algorithm>
#include <utility>

#include "controlplane/tunnel/mutation.h"

namespace magnetar {
namespace {

// So that a hundred thousand tunnels that came up together do not hold up what else there is to do.
constexpr int kChecksPerCall = 1024;
// And so that replacing them all, after a new certificate, leaves most of the time to others: about
// a seventh of a core. The rest is asked again at the next check; what they have works meanwhile.
constexpr BucketRule kRenewals{std::chrono::milliseconds(2), 64};

constexpr std::string_view kUnused = "unused";

// Since the peer was shown our certificate of that version.
bool has_changed(const Tunnel& tunnel, const pki::Certificate& today) {
  const pki::Certificate* const then = tunnel.identity->find(today.version);
  return then == nullptr || then->signature != today.signature;
}

}  // namespace

void Keeper::on_time(Now now, Actions& out) {
  for (int i = 0; i < kChecksPerCall; ++i) {
    Tunnel* const tunnel = core_.tunnels.next_due(now.steady);
    if (tunnel == nullptr) return;
    check(*tunnel, now, out);
  }
}

void Keeper::check(Tunnel& tunnel, Now now, Actions& out) {
  tunnel.asked = false;
  lifecycle_.ask_traffic(tunnel, now, out);
  if (const auto why = no_longer_good(tunnel, now))
    return lifecycle_.close_and_tell(tunnel.local, label(*why), out);
  if (tunnel.send_counter >= kCounterCeiling)
    return lifecycle_.close(tunnel.local, "counter_exhausted", out);
  if (poll_again(tunnel, now)) return;
  const bool heard = std::exchange(tunnel.in, false);
  const bool used = std::exchange(tunnel.out, false);
  const bool tested = std::exchange(tunnel.tested, false);
  if (heard) return on_alive(tunnel, tested, now, out);
  on_silent(tunnel, used, now, out);
}

bool Keeper::poll_again(Tunnel& tunnel, Now now) {
  const Instant first_check = tunnel.since + core_.settings.alive_interval;
  if (tunnel.poll == Duration::zero() || now.steady >= first_check) return false;
  tunnel.poll *= 2;
  core_.tunnels.reschedule(tunnel, std::min(now.steady + tunnel.poll, first_check));
  return true;
}

std::optional<Refusal> Keeper::no_longer_good(const Tunnel& tunnel, Now now) const {
  const auto verified =
      core_.identity->cas.recheck(*tunnel.peer, now.wall, core_.identity->blocklist);
  if (verified) return std::nullopt;
  if (verified.error() != pki::VerifyError::kBlocked && !core_.settings.disconnect_invalid)
    return std::nullopt;
  return refusal_of(verified.error());
}

// `tested`: what was heard may be the answer to our test, which does not mean that the peer sends
// here. Two tunnels could take turns for ever.
void Keeper::on_alive(Tunnel& tunnel, bool tested, Now now, Actions& out) {
  tunnel.doomed = false;
  core_.tunnels.reschedule(tunnel, now.steady + core_.settings.alive_interval);
  if (lifecycle_.is_primary(tunnel)) {
    if (const auto version = wanted(tunnel)) renew(tunnel, *version, now, out);
  } else if (!tested && should_be_preferred(tunnel, now)) {
    lifecycle_.prefer(tunnel, now, out);
  } else {
    // The peer uses this one. What it does not hear of it closes silently, perhaps our primary.
    for (Tunnel* const used : core_.tunnels.used_beside(tunnel)) used->out = true;
  }
}

void Keeper::renew(Tunnel& tunnel, std::uint8_t version, Now now, Actions& out) {
  const bool started = std::ranges::any_of(tunnel.overlay_addrs, [&](const VpnAddr& addr) {
    return core_.pending.find(addr) != nullptr;
  });
  const auto target = replaceable(tunnel, version);
  if (started || !target || !has_token(renewals_, kRenewals, now.steady)) return;
  take_token(renewals_, kRenewals, now.steady);
  tunnel.upgrade_tried = true;
  initiator_.rehandshake(*target, tunnel.remote_addr, version, now, out);
}

std::optional<VpnAddr> Keeper::replaceable(const Tunnel& tunnel, std::uint8_t version) const {
  const pki::Certificate& shown = *core_.identity->find(version);
  for (const VpnAddr& addr : tunnel.overlay_addrs)
    if (core_.tunnels.primary(addr) == &tunnel && core_.identity->speaks_to(addr, shown))
      return addr;
  return std::nullopt;
}

// An idle tunnel is neither tested nor closed. One that is not the primary is not tested either: if
// the peer does not use it, nobody does.
void Keeper::on_silent(Tunnel& tunnel, bool used, Now now, Actions& out) {
  const bool primary = lifecycle_.is_primary(tunnel);
  if (tunnel.doomed && !mutated(Rule::kDeadTunnelsEnd)) {
    if (primary || !tunnel.confirmed) return lifecycle_.close_lost(tunnel.local, "dead", out);
    return close_spare(tunnel, now, out);
  }
  if (primary && !used) {
    core_.tunnels.reschedule(tunnel, now.steady + core_.settings.alive_interval);
    return;
  }
  tunnel.doomed = true;
  core_.tunnels.reschedule(tunnel, now.steady + core_.settings.pending_deletion_interval);
  if (primary) {
    tunnel.tested = true;
    out.emplace_back(SendInSession{.session = tunnel.local,
                                   .type = wire::MessageType::kTest,
                                   .subtype = wire::kSubtypeTestRequest});
  }
}

// Where the primary is silent, too, the peer may have preferred this one and now lets the other go,
// each of us without a word: what is left would have one end. So the peer is told, and the one we
// keep has to show that it has two. So is it where the one we keep does not serve the same
// addresses: for those of this one, the peer may go on using it.
void Keeper::close_spare(const Tunnel& tunnel, Now now, Actions& out) {
  const LocalIndex local = tunnel.local;
  const std::vector<VpnAddr> served = tunnel.overlay_addrs;
  bool in_use = true;
  for (Tunnel* const used : core_.tunnels.used_beside(tunnel)) {
    lifecycle_.ask_traffic(*used, now, out);
    if (used->in && used->overlay_addrs == served) continue;
    used->out = true;
    in_use = false;
  }
  if (in_use) return lifecycle_.close(local, kUnused, out);
  lifecycle_.close_and_tell(local, kUnused, out);
}

// In the order of section 8. Nebula tries a newer version at every check. Once is enough: who
// cannot read it will not learn to, and who can answers.
std::optional<std::uint8_t> Keeper::wanted(const Tunnel& tunnel) const {
  const Identity& ours = *core_.identity;
  const std::uint8_t first = ours.certificate.version;
  const std::uint8_t peer = tunnel.peer->version;
  const pki::Certificate* const shown = ours.find(tunnel.own_version);
  if (shown == nullptr) return first;
  if (tunnel.own_version < peer && ours.find(peer) != nullptr && !tunnel.upgrade_tried) return peer;
  if (has_changed(tunnel, *shown)) return tunnel.own_version;
  if (tunnel.own_version < first && !tunnel.upgrade_tried) return first;
  if (tunnel.send_counter >= kCounterRehandshake) return tunnel.own_version;
  return std::nullopt;
}

// The lower overlay address adopts the tunnel that the higher one sends on (section 8). What came
// before the present primary was chosen says nothing, though.
bool Keeper::should_be_preferred(const Tunnel& tunnel, Now now) const {
  if (!core_.peer_decides(tunnel) || tunnel.send_counter >= kCounterRehandshake) return false;
  const pki::Certificate* const shown = core_.identity->find(tunnel.own_version);
  if (shown != nullptr && has_changed(tunnel, *shown)) return false;
  return std::ranges::all_of(core_.tunnels.used_beside(tunnel), [&](const Tunnel* used) {
    return now.steady - used->preferred_at >= core_.settings.alive_interval;
  });
}

}  // namespace magnetar
