// SPDX-License-Identifier: Apache-2.0
// Our side of a handshake that a peer starts: one packet in, one packet and two keys out. Nothing
// is kept between packets.
#pragma once

#include <memory>

#include "controlplane/handshake/claim.h"
#include "controlplane/handshake/noise_ix.h"
#include "controlplane/identity.h"

namespace magnetar::handshake {

class Responder {
 public:
  Responder(const Identity& identity, Cipher cipher);

  // `packet` is a stage 1, header included. No curve operation yet: stage 1 is in the clear.
  [[nodiscard]] Result<Claim, Refusal> read_stage_1(ByteView packet);

  struct Answer {
    Bytes stage_2;             // the whole packet
    std::uint8_t version = 1;  // of our certificate in it
    noise::Transport transport;
  };
  // Once read_stage_1 succeeded and its claim was accepted. Shows our certificate of the peer's
  // version, if we have one. `ephemeral` is a private key of the identity's curve.
  [[nodiscard]] Result<Answer, Refusal> write_stage_2(const Claim& peer, LocalIndex local,
                                                      std::uint64_t time_ns,
                                                      EphemeralPrivateKey ephemeral);

 private:
  const Identity* identity_;
  noise::Responder noise_;
};

}  // namespace magnetar::handshake
