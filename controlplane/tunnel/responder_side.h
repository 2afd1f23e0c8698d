// SPDX-License-Identifier: Apache-2.0
// Handshakes that peers start (handshake.md sections 3, 5 and 6.1). Control thread only.
#pragma once

#include <optional>

#include "controlplane/handshake/responder.h"
#include "controlplane/tunnel/lifecycle.h"

namespace magnetar {

class ResponderSide {
 public:
  ResponderSide(Core& core, Lifecycle& lifecycle) : core_(core), lifecycle_(lifecycle) {}

  void on_stage_1(const UnderlayAddr& from, ByteView packet, Now now, Actions& out);

 private:
  // Why a peer with a readable certificate gets no tunnel. Asked in the order of section 3.
  [[nodiscard]] Result<void, Refusal> judge(const handshake::Claim& claim, Now now,
                                            Actions& out) const;
  // A tunnel of this peer that is newer than this stage 1, and in which we answered.
  [[nodiscard]] const Tunnel* newer_tunnel(const handshake::Claim& claim) const;
  // Both started: the higher overlay address stays the initiator.
  [[nodiscard]] bool race_is_ours(const handshake::Claim& claim) const;
  [[nodiscard]] Result<void, Refusal> answer(handshake::Responder& responder,
                                             handshake::Claim& claim, const UnderlayAddr& from,
                                             const Stage1Id& id, Now now, Actions& out);

  Core& core_;
  Lifecycle& lifecycle_;
};

}  // namespace magnetar
