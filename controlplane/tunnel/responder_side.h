// SPDX-License-Identifier: Apache-2.0
// Handshakes that peers start (handshake.md sections 3, 5 and 6.1). Control thread only.
#pragma once

#include <optional>

#include "controlplane/handshake/responder.h"
#include "controlplane/tunnel/initiator_side.h"

namespace magnetar {

class ResponderSide {
 public:
  ResponderSide(Core& core, Lifecycle& lifecycle, InitiatorSide& initiator)
      : core_(core), lifecycle_(lifecycle), initiator_(initiator) {}

  void on_stage_1(const UnderlayAddr& from, ByteView packet, Now now, Actions& out);

 private:
  // Why a peer with a readable certificate gets no tunnel. Asked in the order of section 3.
  [[nodiscard]] Result<void, Refusal> judge(const handshake::Claim& claim, const UnderlayAddr& from,
                                            Now now, Actions& out);
  // All that can be asked without a curve operation.
  [[nodiscard]] Result<void, Refusal> judge_cheaply(const handshake::Claim& claim, Now now) const;
  static void ask(Tunnel& tunnel, Actions& out);
  // Every tunnel of this peer.
  [[nodiscard]] std::vector<Tunnel*> all_with(const handshake::Claim& claim) const;
  // One of them that was made after this stage 1.
  [[nodiscard]] Tunnel* newer_tunnel(const handshake::Claim& claim, Now now, Actions& out);
  // Both started: the attempt of ours that goes on, if it is ours that does.
  [[nodiscard]] Pending* race_won(const handshake::Claim& claim);
  [[nodiscard]] Result<void, Refusal> answer(handshake::Responder& responder,
                                             handshake::Claim& claim, const UnderlayAddr& from,
                                             const Stage1Id& id, Now now, Actions& out);

  Core& core_;
  Lifecycle& lifecycle_;
  InitiatorSide& initiator_;
};

}  // namespace magnetar
