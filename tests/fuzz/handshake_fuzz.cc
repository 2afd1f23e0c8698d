// SPDX-License-Identifier: Apache-2.0
// Bytes as message 1 to a responder and as message 2 to initiators: those of tests/vectors, and for
// P-256 ones that play with themselves. The first byte chooses cipher and curve. No message 2 is
// believed but the one that was recorded.
#include <memory>
#include <stdexcept>

#include "controlplane/handshake/noise_ix.h"
#include "controlplane/handshake/payload.h"
#include "controlplane/pki/codec.h"
#include "dataplane/base/check.h"
#include "dataplane/wire/header.h"
#include "tests/support/vectors.h"

namespace {

using magnetar::Bytes;
using magnetar::ByteView;
using magnetar::Cipher;
using magnetar::Curve;
using magnetar::EphemeralPrivateKey;
using magnetar::StaticPrivateKey;
namespace noise = magnetar::noise;

template <typename Key>
Key key_of(const nlohmann::json& hex) {
  return Key(magnetar::testing::array_from_hex<32>(hex.get<std::string>()));
}

Bytes bytes_of(const nlohmann::json& hex) {
  return magnetar::testing::from_hex(hex.get<std::string>());
}

template <typename Key>
Key repeated(std::uint8_t number) {
  std::array<std::byte, 32> scalar;
  scalar.fill(std::byte{number});
  return Key(scalar);
}

struct Parties {
  // On 25519 what was recorded.
  Parties(Cipher cipher, const nlohmann::json& row)
      : suite(cipher),
        initiator_static(key_of<StaticPrivateKey>(row["initiator_static_private"])),
        responder_static(key_of<StaticPrivateKey>(row["responder_static_private"])),
        responder_ephemeral(key_of<EphemeralPrivateKey>(row["responder_ephemeral_private"])),
        initiator(
            cipher, initiator_static,
            noise::key_pair_from(key_of<EphemeralPrivateKey>(row["initiator_ephemeral_private"]))) {
    (void)initiator.write_message_1(bytes_of(row["stage1_payload"]));
    const Bytes packet = bytes_of(row["stage2_packet"]);
    message_2.assign(packet.begin() + magnetar::wire::Header::kSize, packet.end());
    MAGNETAR_CHECK(initiator.read_message_2(message_2));
  }
  // On P-256 what the responder says.
  explicit Parties(Cipher cipher)
      : suite(cipher, Curve::kP256),
        initiator_static(repeated<StaticPrivateKey>(1)),
        responder_static(repeated<StaticPrivateKey>(2)),
        responder_ephemeral(repeated<EphemeralPrivateKey>(3)),
        initiator(suite, initiator_static,
                  noise::key_pair_from(repeated<EphemeralPrivateKey>(4), Curve::kP256)) {
    noise::Responder responder(suite, responder_static);
    MAGNETAR_CHECK(responder.read_message_1(initiator.write_message_1({})));
    message_2 =
        responder
            .write_message_2(noise::key_pair_from(EphemeralPrivateKey(responder_ephemeral.reveal()),
                                                  Curve::kP256),
                             magnetar::as_bytes("payload"))
            .value()
            .message;
    MAGNETAR_CHECK(initiator.read_message_2(message_2));
  }

  noise::Suite suite;
  StaticPrivateKey initiator_static;
  StaticPrivateKey responder_static;
  EphemeralPrivateKey responder_ephemeral;
  noise::Initiator initiator;
  Bytes message_2;
};

std::unique_ptr<Parties> load(Cipher cipher) {
  const auto file = magnetar::testing::load_vectors("handshakes-v1.json");
  for (const auto& row : file["transcripts"])
    if (row["cipher"] == magnetar::cipher_name(cipher))
      return std::make_unique<Parties>(cipher, row);
  throw std::runtime_error("no transcript of this cipher");
}

const Parties& parties(std::uint8_t choice) {
  static const auto aes = load(Cipher::kAes256Gcm);
  static const auto chacha = load(Cipher::kChaCha20Poly1305);
  static const Parties p256_aes(Cipher::kAes256Gcm);
  static const Parties p256_chacha(Cipher::kChaCha20Poly1305);
  const Parties* const all[] = {aes.get(), chacha.get(), &p256_aes, &p256_chacha};
  return *all[choice & 3U];
}

void read_payload(ByteView payload, const noise::PublicKey& static_key) {
  const auto parsed = magnetar::handshake::parse_payload(payload);
  if (!parsed) return;
  for (const std::uint8_t version : {std::uint8_t{1}, std::uint8_t{2}})
    (void)magnetar::pki::decode_from_handshake(version, parsed->certificate, static_key);
}

void as_message_1(const Parties& known, ByteView message) {
  noise::Responder responder(known.suite, known.responder_static);
  const auto hello = responder.read_message_1(message);
  if (!hello) return;
  read_payload(hello->payload, hello->remote_static);
  const auto answer = responder.write_message_2(
      noise::key_pair_from(EphemeralPrivateKey(known.responder_ephemeral.reveal()),
                           known.suite.curve),
      magnetar::as_bytes("payload"));
  MAGNETAR_CHECK(answer || answer.error() == noise::NoiseError::kLowOrderKey);
}

void as_message_2(const Parties& known, ByteView message) {
  const auto reply = known.initiator.read_message_2(message);
  if (reply) MAGNETAR_CHECK(std::ranges::equal(message, known.message_2));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto bytes = std::as_bytes(std::span(data, size));
  const Parties& known = parties(data[0]);
  as_message_1(known, bytes.subspan(1));
  as_message_2(known, bytes.subspan(1));
  return 0;
}
