// SPDX-License-Identifier: Apache-2.0
#include "controlplane/handshake/initiator.h"

#include "dataplane/base/check.h"
#include "dataplane/wire/header.h"

namespace magnetar::handshake {
namespace {

constexpr Counter kStage1Counter{1};

Refusal refusal_of(noise::NoiseError error) {
  switch (error) {
    case noise::NoiseError::kTooShort:
      return Refusal::kHandshakeTooShort;
    case noise::NoiseError::kLowOrderKey:
      return Refusal::kLowOrderKey;
    case noise::NoiseError::kBadTag:
      return Refusal::kStage2Forged;
  }
  return Refusal::kStage2Forged;
}

const pki::Certificate& shown_in(const InitiatorConfig& config) {
  if (config.version == 0) return config.identity->certificate;
  const pki::Certificate* const certificate = config.identity->find(config.version);
  MAGNETAR_CHECK(certificate != nullptr);
  return *certificate;
}

Bytes build_stage_1(noise::Initiator& noise, const InitiatorConfig& config) {
  Payload payload = payload_showing(shown_in(config));
  payload.initiator_index = config.local.raw();
  payload.time_ns = config.time_ns;
  Bytes packet(wire::Header::kSize);
  wire::write_header(std::span(packet).first<wire::Header::kSize>(),
                     {.type = wire::MessageType::kHandshake, .counter = kStage1Counter});
  append(packet, noise.write_message_1(write_payload(payload)));
  return packet;
}

}  // namespace

Initiator::Initiator(InitiatorConfig config, EphemeralPrivateKey ephemeral)
    : identity_(config.identity),
      version_(shown_in(config).version),
      local_(config.local),
      noise_({config.cipher, identity_->curve()}, identity_->private_key,
             noise::key_pair_from(std::move(ephemeral), identity_->curve())),
      stage_1_(build_stage_1(noise_, config)) {}

Initiator Initiator::duplicate() const {
  return {identity_, version_, local_, noise_.duplicate(), stage_1_};
}

Result<Initiator::Reply, Refusal> Initiator::read_stage_2(ByteView packet) const {
  if (packet.size() > kMaxPacketSize) return fail(Refusal::kHandshakeTooLong);
  auto reply = noise_.read_message_2(packet.subspan(wire::Header::kSize));
  if (!reply) return fail(refusal_of(reply.error()));
  auto claim = read_claim(reply->payload, reply->remote_static, Sender::kResponder);
  if (!claim) return fail(claim.error());
  return Reply{std::move(*claim), std::move(reply->transport)};
}

}  // namespace magnetar::handshake
