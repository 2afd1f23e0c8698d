// SPDX-License-Identifier: Apache-2.0
// Our side of a handshake that we start: one stage 1, and whatever comes back for it.
#pragma once

#include <memory>

#include "controlplane/handshake/claim.h"
#include "controlplane/handshake/noise_ix.h"
#include "controlplane/identity.h"

namespace magnetar::handshake {

struct InitiatorConfig {
  std::shared_ptr<const Identity> identity;
  Cipher cipher = Cipher::kAes256Gcm;
  LocalIndex local;
  std::uint64_t time_ns = 0;
  std::uint8_t version = 0;  // of our certificate, which is there; 0: that of identity->certificate
};

class Initiator {
 public:
  // Builds stage 1. `ephemeral` is a private key of the identity's curve.
  Initiator(InitiatorConfig config, EphemeralPrivateKey ephemeral);

  [[nodiscard]] LocalIndex local() const { return local_; }
  [[nodiscard]] const std::shared_ptr<const Identity>& identity() const { return identity_; }
  // Of our certificate in stage 1.
  [[nodiscard]] std::uint8_t version() const { return version_; }
  // The whole packet; every transmission is these bytes.
  [[nodiscard]] const Bytes& stage_1() const { return stage_1_; }

  struct Reply {
    Claim claim;
    noise::Transport transport;
  };
  // `packet` is a stage 2 for our index, header included. Changes nothing, so that a forged or
  // broken packet cannot spoil the real one.
  [[nodiscard]] Result<Reply, Refusal> read_stage_2(ByteView packet) const;
  [[nodiscard]] Initiator duplicate() const;

 private:
  Initiator(std::shared_ptr<const Identity> identity, std::uint8_t version, LocalIndex local,
            noise::Initiator noise, Bytes stage_1)
      : identity_(std::move(identity)),
        version_(version),
        local_(local),
        noise_(std::move(noise)),
        stage_1_(std::move(stage_1)) {}

  std::shared_ptr<const Identity> identity_;
  std::uint8_t version_;
  LocalIndex local_;
  noise::Initiator noise_;
  Bytes stage_1_;
};

}  // namespace magnetar::handshake
