// SPDX-License-Identifier: Apache-2.0
// What the control plane keeps of one tunnel. Keys, counter and window live in the data plane.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "controlplane/identity.h"
#include "controlplane/pki/certificate.h"
#include "dataplane/base/addr.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/strong.h"
#include "dataplane/base/time.h"

namespace magnetar {

// Names a stage 1: a hash over everything after its header.
using Stage1Id = std::array<std::byte, 32>;
[[nodiscard]] Stage1Id stage_1_id(ByteView packet);

// Only of tunnels in which we answered: what a repeated stage 1 gets (handshake.md section 5).
struct CachedAnswer {
  Stage1Id stage_1;
  Bytes stage_2;  // the whole packet, resent as it was
};

struct Roamed {
  UnderlayAddr from;
  Instant at;
};

struct Tunnel {
  LocalIndex local;
  RemoteIndex remote;
  std::shared_ptr<const Identity> identity;           // ours, as shown to the peer
  std::uint8_t own_version = 1;                       // of the certificate that it was shown
  std::shared_ptr<const pki::CertificateFacts> peer;  // of its certificate, which was verified
  std::vector<VpnAddr> overlay_addrs;                 // of the peer, the first one primary
  UnderlayAddr remote_addr;
  std::uint64_t peer_time_ns = 0;  // the Time the peer sent in its handshake
  Instant since;
  std::optional<CachedAnswer> answer;  // none: we were the initiator
  std::optional<Roamed> roamed;        // the last move

  // The peer has shown that it holds the keys. A stage 1 shows nothing: its certificate travels in
  // the clear, so anybody can send one. A stage 2 does.
  bool confirmed = false;

  // Of the connection manager (keeper.h). Seen since the last check; a new tunnel counts as used,
  // so that one that does not work is noticed.
  bool in = false;
  bool out = true;
  bool doomed = false;         // closed at the next check unless the peer is heard
  bool tested = false;         // since the last check
  bool asked = false;          // since the last check, because of a stage 1 older than this tunnel
  bool upgrade_tried = false;  // to a newer version of our certificate; a peer may not read it
  std::uint64_t send_counter = 0;
  Instant check_at{};
  Duration poll{};         // while a spare tunnel waits to be confirmed: until it is asked again
  Instant preferred_at{};  // when it became the one to send on

  [[nodiscard]] bool initiator() const { return !answer.has_value(); }
};

}  // namespace magnetar
