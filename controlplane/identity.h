// SPDX-License-Identifier: Apache-2.0
// Who we are: certificate and key, and whom we trust. Immutable; a reload makes a new one.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "controlplane/crypto/curve.h"
#include "controlplane/pki/ca_pool.h"
#include "controlplane/pki/certificate.h"
#include "dataplane/base/cipher.h"
#include "dataplane/base/secret.h"

namespace magnetar {

struct Identity {
  pki::Certificate certificate;  // the one our handshakes begin with (pki.initiating_version)
  StaticPrivateKey private_key;
  pki::CaPool cas;
  pki::Blocklist blocklist;
  // The same host's certificate of the other version, if it has one: with the same key, curve and
  // first network (wire.md 3.7).
  std::optional<pki::Certificate> other;

  // Of both certificates and of every handshake.
  [[nodiscard]] Curve curve() const { return certificate.curve; }

  // Null: there is none of this version.
  [[nodiscard]] const pki::Certificate* find(std::uint8_t version) const {
    if (certificate.version == version) return &certificate;
    return other && other->version == version ? &*other : nullptr;
  }
  // What a peer is answered whose certificate is of this version: the same if we can.
  [[nodiscard]] const pki::Certificate& answer_to(std::uint8_t version) const {
    const pki::Certificate* const same = find(version);
    return same == nullptr ? certificate : *same;
  }
  // Says all that we are: version 2, if there is one, may have more networks than version 1.
  [[nodiscard]] const pki::Certificate& widest() const { return answer_to(2); }

  // Whether a peer that was shown this certificate takes what we send to this address of it: it
  // drops what comes from an address of ours that the certificate lacks. Version 1 has none of
  // IPv6.
  [[nodiscard]] bool speaks_to(const VpnAddr& peer, const pki::Certificate& shown) const {
    if (shown.version == 1 && !peer.ip.is_v4()) return false;
    const auto in = [&](const Prefix& network) { return network.contains(peer.ip); };
    return std::ranges::any_of(shown.networks, in) || std::ranges::none_of(widest().networks, in);
  }
  // Those of a peer's addresses that a tunnel serves in which our certificate of this version was
  // shown. All when there are none: a tunnel has an address.
  [[nodiscard]] std::vector<VpnAddr> served(std::vector<VpnAddr> peer, std::uint8_t version) const {
    const auto is_served = [&](const VpnAddr& addr) { return speaks_to(addr, *find(version)); };
    if (std::ranges::any_of(peer, is_served)) std::erase_if(peer, std::not_fn(is_served));
    return peer;
  }

  // Our overlay addresses, the first one primary.
  [[nodiscard]] std::vector<VpnAddr> overlay_addrs() const { return widest().overlay_addrs(); }
};

}  // namespace magnetar
