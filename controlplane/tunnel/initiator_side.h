// SPDX-License-Identifier: Apache-2.0
// Handshakes we start (handshake.md sections 2, 4 and 7.1). Control thread only.
#pragma once

#include <optional>

#include "controlplane/tunnel/lifecycle.h"

namespace magnetar {

class InitiatorSide {
 public:
  InitiatorSide(Core& core, Lifecycle& lifecycle) : core_(core), lifecycle_(lifecycle) {}

  void on_packet(const VpnAddr& to, QueuedPacket packet, Now now, Actions& out);
  void on_stage_2(const UnderlayAddr& from, LocalIndex index, ByteView packet, Now now,
                  Actions& out);
  void on_time(Now now, Actions& out);
  // A new tunnel in place of one that stands and that stays in use until then, with our certificate
  // of this version, which has a network for the target. No attempt for this peer goes on.
  void rehandshake(const VpnAddr& target, const UnderlayAddr& seen_at, std::uint8_t version,
                   Now now, Actions& out);
  // The target of our own attempt, which goes on, is seen at this address.
  void learn(Pending& pending, const UnderlayAddr& from, Now now, Actions& out);

 private:
  // Stage 0. None: no slot is free, and the reason is in `out`.
  [[nodiscard]] Pending* start(const VpnAddr& target, std::uint8_t version, Now now, Actions& out);
  [[nodiscard]] std::optional<std::uint8_t> version_for(const VpnAddr& target) const;
  // Sends stage 1 to every address that is known and not blocked, or gives up.
  void transmit(Pending& pending, Now now, Actions& out);
  void give_up(const Pending& pending, Actions& out);
  [[nodiscard]] std::vector<UnderlayAddr> remotes_of(const Pending& pending, Now now);

  // What a stage 2 that authenticates may still be refused for.
  [[nodiscard]] Result<void, Refusal> judge(const pki::Certificate& certificate, Now now);
  void refuse(Pending& pending, const UnderlayAddr& from, const pki::Certificate& certificate,
              Refusal why, Actions& out);
  // `spare`: the attempt had given way to the peer's.
  void complete(Pending pending, bool spare, handshake::Initiator::Reply reply,
                const UnderlayAddr& from, Now now, Actions& out);
  void restart_elsewhere(Pending wrong, const UnderlayAddr& from, Now now, Actions& out);
  // The host that answered holds a tunnel that we do not want.
  void dismiss(const Pending& wrong, handshake::Initiator::Reply reply, const UnderlayAddr& from,
               Now now, Actions& out);

  Core& core_;
  Lifecycle& lifecycle_;
};

}  // namespace magnetar
