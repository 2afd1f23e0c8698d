// SPDX-License-Identifier: Apache-2.0
#include "controlplane/handshake/responder.h"

#include "dataplane/base/check.h"
#include "dataplane/wire/header.h"

namespace magnetar::handshake {
namespace {

constexpr Counter kStage2Counter{2};

// As our certificate has it. The configuration is refused when that is not our private key's.
PublicKey public_key_of(const Identity& identity) {
  const auto key = PublicKey::from(identity.curve(), identity.certificate.public_key);
  MAGNETAR_CHECK(key);
  return *key;
}

}  // namespace

Responder::Responder(const Identity& identity, Cipher cipher)
    : identity_(&identity),
      noise_({cipher, identity.curve()}, identity.private_key, public_key_of(identity)) {}

Result<Claim, Refusal> Responder::read_stage_1(ByteView packet) {
  if (packet.size() > kMaxPacketSize) return fail(Refusal::kHandshakeTooLong);
  const auto hello = noise_.read_message_1(packet.subspan(wire::Header::kSize));
  if (!hello) {
    return fail(hello.error() == noise::NoiseError::kLowOrderKey ? Refusal::kLowOrderKey
                                                                 : Refusal::kHandshakeTooShort);
  }
  return read_claim(hello->payload, hello->remote_static, Sender::kInitiator);
}

Result<Responder::Answer, Refusal> Responder::write_stage_2(const Claim& peer, LocalIndex local,
                                                            std::uint64_t time_ns,
                                                            EphemeralPrivateKey ephemeral) {
  const pki::Certificate& shown = identity_->answer_to(peer.certificate.version);
  Payload payload = payload_showing(shown);
  payload.initiator_index = peer.index.raw();
  payload.responder_index = local.raw();
  payload.time_ns = time_ns;
  auto answer = noise_.write_message_2(
      noise::key_pair_from(std::move(ephemeral), identity_->curve()), write_payload(payload));
  if (!answer) return fail(Refusal::kLowOrderKey);
  Bytes packet(wire::Header::kSize);
  wire::write_header(std::span(packet).first<wire::Header::kSize>(),
                     {.type = wire::MessageType::kHandshake,
                      .index = peer.index.raw(),
                      .counter = kStage2Counter});
  append(packet, answer->message);
  return Answer{std::move(packet), shown.version, std::move(answer->transport)};
}

}  // namespace magnetar::handshake
