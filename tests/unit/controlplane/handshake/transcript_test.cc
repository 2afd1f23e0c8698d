// SPDX-License-Identifier: Apache-2.0
// The transcripts of tests/vectors/handshakes-v1.json, made by Nebula 1.6.1, byte for byte.
#include <gtest/gtest.h>

#include "controlplane/handshake/aead.h"
#include "controlplane/handshake/noise_ix.h"
#include "controlplane/handshake/payload.h"
#include "controlplane/handshake/transport_aead.h"
#include "controlplane/pki/codec_v1.h"
#include "tests/support/vectors.h"

namespace magnetar::handshake {
namespace {

using nlohmann::json;
using noise::Initiator;
using noise::Responder;
using testing::array_from_hex;
using testing::from_hex;
using testing::to_hex;
using wire::Header;
using wire::MessageType;

constexpr std::size_t kHeader = Header::kSize;

class Transcript : public ::testing::TestWithParam<Cipher> {
 protected:
  void SetUp() override {
    const json file = testing::load_vectors("handshakes-v1.json");
    for (const json& transcript : file["transcripts"])
      if (transcript["cipher"] == cipher_name(GetParam())) row_ = transcript;
    ASSERT_FALSE(row_.is_null());
    initiator_static_ = key<StaticPrivateKey>("initiator_static_private");
    responder_static_ = key<StaticPrivateKey>("responder_static_private");
  }

  [[nodiscard]] Bytes bytes(const char* name) const {
    return from_hex(row_[name].get<std::string>());
  }
  template <typename Key>
  [[nodiscard]] Key key(const char* name) const {
    return Key(array_from_hex<32>(row_[name].get<std::string>()));
  }
  [[nodiscard]] Initiator initiator() const {
    return {GetParam(), initiator_static_,
            noise::key_pair_from(key<EphemeralPrivateKey>("initiator_ephemeral_private"))};
  }
  // Both messages, and what each side has at the end.
  struct Outcome {
    Bytes message_1;
    Bytes message_2;
    Initiator::Reply reply;
    noise::Transport responder;
  };
  [[nodiscard]] Outcome run() const {
    Initiator left = initiator();
    Responder right(GetParam(), responder_static_);
    Bytes message_1 = left.write_message_1(bytes("stage1_payload"));
    EXPECT_TRUE(right.read_message_1(message_1));
    auto answer = right.write_message_2(
        noise::key_pair_from(key<EphemeralPrivateKey>("responder_ephemeral_private")),
        bytes("stage2_payload"));
    auto reply = left.read_message_2(answer.value().message);
    return {std::move(message_1), std::move(answer->message), *std::move(reply),
            std::move(answer->transport)};
  }

  json row_;
  StaticPrivateKey initiator_static_;
  StaticPrivateKey responder_static_;
};

Bytes with_header(const Header& header, ByteView body) {
  Bytes packet(kHeader + body.size());
  wire::write_header(std::span(packet).first<kHeader>(), header);
  std::ranges::copy(body, packet.begin() + kHeader);
  return packet;
}

TEST_P(Transcript, WritesBothPackets) {
  const Outcome outcome = run();
  EXPECT_EQ(to_hex(with_header({MessageType::kHandshake, 0, 0, Counter{1}}, outcome.message_1)),
            row_["stage1_packet"]);
  const auto index = row_["initiator_index"].get<std::uint32_t>();
  EXPECT_EQ(to_hex(with_header({MessageType::kHandshake, 0, index, Counter{2}}, outcome.message_2)),
            row_["stage2_packet"]);
}

TEST_P(Transcript, BothSidesEndWithTheSameKeys) {
  const Outcome outcome = run();
  EXPECT_EQ(to_hex(outcome.reply.transport.handshake_hash), row_["handshake_hash"]);
  EXPECT_EQ(to_hex(outcome.responder.handshake_hash), row_["handshake_hash"]);
  EXPECT_TRUE(outcome.reply.transport.initiator_to_responder ==
              outcome.responder.initiator_to_responder);
  EXPECT_TRUE(outcome.reply.transport.responder_to_initiator ==
              outcome.responder.responder_to_initiator);
  EXPECT_FALSE(outcome.responder.initiator_to_responder ==
               outcome.responder.responder_to_initiator);
}

TEST_P(Transcript, ReadsTheRecordedPackets) {
  const Bytes stage_1 = bytes("stage1_packet");
  Responder right(GetParam(), responder_static_);
  const auto hello = right.read_message_1(ByteView(stage_1).subspan(kHeader));
  ASSERT_TRUE(hello);
  EXPECT_EQ(to_hex(hello->payload), row_["stage1_payload"]);
  EXPECT_EQ(hello->remote_static, noise::public_key_of(initiator_static_));
  EXPECT_EQ(to_hex(hello->remote_ephemeral), to_hex(ByteView(stage_1).subspan(kHeader, 32)));

  Initiator left = initiator();
  (void)left.write_message_1(bytes("stage1_payload"));
  const Bytes stage_2 = bytes("stage2_packet");
  const auto reply = left.read_message_2(ByteView(stage_2).subspan(kHeader));
  ASSERT_TRUE(reply);
  EXPECT_EQ(to_hex(reply->payload), row_["stage2_payload"]);
  EXPECT_EQ(reply->remote_static, noise::public_key_of(responder_static_));
}

TEST_P(Transcript, PayloadsBothWays) {
  const json certificates = testing::load_vectors("certificates-v1.json");
  const auto certificate_of = [&](const json& label) {
    for (const json& host : certificates["hosts"])
      if (host["label"] == label)
        return pki::decode_v1(from_hex(host["protobuf"].get<std::string>())).value();
    throw std::invalid_argument("no such host");
  };
  const struct {
    const char* payload;
    const char* host;
    std::uint32_t responder_index;
  } cases[] = {
      {"stage1_payload", "initiator_host", 0},
      {"stage2_payload", "responder_host", row_["responder_index"].get<std::uint32_t>()},
  };
  for (const auto& [name, host, responder_index] : cases) {
    SCOPED_TRACE(name);
    const pki::Certificate certificate = certificate_of(row_[host]);
    const auto payload = parse_payload(bytes(name));
    ASSERT_TRUE(payload);
    EXPECT_EQ(payload->certificate, pki::encode_v1_for_handshake(certificate));
    EXPECT_EQ(payload->initiator_index, row_["initiator_index"].get<std::uint32_t>());
    EXPECT_EQ(payload->responder_index, responder_index);
    EXPECT_GT(payload->time_ns, 1'600'000'000'000'000'000U);
    EXPECT_EQ(payload->certificate_version, 0U) << "1.6.1 writes none";
    EXPECT_EQ(to_hex(write_payload(*payload)), row_[name]);
    const auto again = pki::decode_v1_from_handshake(payload->certificate,
                                                     std::span(certificate.public_key).first<32>());
    ASSERT_TRUE(again);
    EXPECT_EQ(again->fingerprint, certificate.fingerprint);
  }
}

TEST_P(Transcript, EveryPacketOfTheTunnelBothWays) {
  const Outcome outcome = run();
  ASSERT_EQ(row_["packets"].size(), 15U);
  for (const json& packet : row_["packets"]) {
    const Header header{MessageType{packet["type"].get<std::uint8_t>()},
                        packet["subtype"].get<std::uint8_t>(),
                        packet["remote_index"].get<std::uint32_t>(),
                        Counter{std::stoull(packet["counter"].get<std::string>())}};
    SCOPED_TRACE(header.counter.raw());
    const bool from_initiator = packet["from"] == "initiator";
    const auto& key = from_initiator ? outcome.responder.initiator_to_responder
                                     : outcome.reply.transport.responder_to_initiator;
    const Bytes plaintext = from_hex(packet["plaintext"].get<std::string>());
    const Bytes recorded = from_hex(packet["packet"].get<std::string>());
    EXPECT_EQ(to_hex(seal_packet(GetParam(), key, header, plaintext)), packet["packet"]);
    const auto parsed = wire::parse_header(recorded);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, header);
    const auto opened = open_packet(GetParam(), key, recorded);
    ASSERT_TRUE(opened);
    EXPECT_EQ(*opened, plaintext);
  }
}

TEST_P(Transcript, TheRelayEnvelopeAndTheRecvError) {
  const Outcome outcome = run();
  const json& relay = row_["relay_packet"];
  const Header header{MessageType::kMessage, wire::kSubtypeRelay,
                      relay["relay_index"].get<std::uint32_t>(),
                      Counter{std::stoull(relay["counter"].get<std::string>())}};
  Bytes packet = with_header(header, from_hex(relay["inner"].get<std::string>()));
  const Bytes aad = packet;
  aead_seal(GetParam(), outcome.responder.initiator_to_responder, header.counter.raw(), aad, {},
            packet);
  EXPECT_EQ(to_hex(packet), relay["packet"]);
  EXPECT_EQ(to_hex(with_header({MessageType::kRecvError, 0, 0x99aabbcc, Counter{0}}, {})),
            row_["recv_error_for_index_0x99aabbcc"]);
}

INSTANTIATE_TEST_SUITE_P(BothCiphers, Transcript,
                         ::testing::Values(Cipher::kAes256Gcm, Cipher::kChaCha20Poly1305),
                         [](const auto& row) { return std::string(cipher_name(row.param)); });

}  // namespace
}  // namespace magnetar::handshake
