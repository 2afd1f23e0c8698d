// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/core.h"

#include <algorithm>

#include "controlplane/crypto/key_agreement.h"
#include "dataplane/base/check.h"

namespace magnetar {
namespace {

// One in 2^32 is no private key of P-256.
constexpr int kMaxDraws = 8;

}  // namespace

Core::Core(std::shared_ptr<const Identity> who, ControlSettings with, RandomSource& source,
           TrafficSource& uses)
    : identity(std::move(who)),
      settings(std::move(with)),
      random(source),
      traffic(uses),
      indexes(settings.max_tunnels),
      recv_errors(random),
      handshakes(settings.max_handshakes_per_second, random) {
  MAGNETAR_CHECK(settings.retries > 0 && settings.try_interval > Duration::zero());
  MAGNETAR_CHECK(settings.alive_interval > Duration::zero() &&
                 settings.pending_deletion_interval > Duration::zero());
}

Core::Core(const Core& other, RandomSource& source, TrafficSource& uses)
    : identity(other.identity),
      settings(other.settings),
      random(source),
      traffic(uses),
      indexes(other.indexes),
      tunnels(other.tunnels.duplicate()),
      paths(other.paths),
      pending(other.pending.duplicate()),
      stood_down(other.stood_down.duplicate()),
      recv_errors(other.recv_errors),
      handshakes(other.handshakes),
      verifier(other.verifier),
      newest_times(other.newest_times),
      wrong_addresses(other.wrong_addresses),
      last_stamp_(other.last_stamp_) {}

EphemeralPrivateKey Core::draw_ephemeral() {
  const crypto::KeyAgreement& curve = crypto::key_agreement(identity->curve());
  EphemeralPrivateKey key;
  for (int draw = 0; draw < kMaxDraws; ++draw) {
    random.fill(key.fill());
    if (curve.is_private_key(key)) return key;
  }
  MAGNETAR_CHECK(false && "a source of randomness that gives the same again and again");
  return key;
}

std::uint64_t Core::stamp(WallTime wall) {
  const auto ns = std::max<Duration::rep>(wall.time_since_epoch().count(), 0);
  last_stamp_ = std::max(last_stamp_ + 1, static_cast<std::uint64_t>(ns));
  return last_stamp_;
}

bool Core::is_own_underlay(const UnderlayAddr& addr) const {
  return std::ranges::find(settings.own_addrs, addr) != settings.own_addrs.end();
}

bool Core::is_own_overlay(const VpnAddr& addr) const {
  return std::ranges::any_of(identity->widest().networks,
                             [&](const Prefix& network) { return network.addr == addr.ip; });
}

bool Core::peer_decides(const Tunnel& tunnel) const {
  return identity->overlay_addrs().front() <= tunnel.peer->overlay_addrs().front();
}

std::vector<UnderlayAddr> Core::configured_for(const VpnAddr& target) const {
  std::vector<UnderlayAddr> remotes;
  const auto known = settings.static_remotes.find(target);
  if (known == settings.static_remotes.end()) return remotes;
  for (const UnderlayAddr& addr : known->second)
    if (!is_own_underlay(addr)) remotes.push_back(addr);
  return remotes;
}

bool Core::has_seen_at(const Tunnel& tunnel, const UnderlayAddr& addr) const {
  // Any tunnel of the peer, not this one alone: the older ones may not have followed a move.
  for (const VpnAddr& peer : tunnel.overlay_addrs) {
    for (const Tunnel* const one : tunnels.all(peer)) {
      if (one->remote_addr == addr || (one->roamed && one->roamed->from == addr)) return true;
    }
  }
  return false;
}

}  // namespace magnetar
