// SPDX-License-Identifier: Apache-2.0
// The recorded handshakes through the whole control plane, byte for byte, in both roles.
#include <gtest/gtest.h>

#include "controlplane/control_plane.h"
#include "controlplane/handshake/payload.h"
#include "controlplane/handshake/transport_aead.h"
#include "controlplane/pki/pem.h"
#include "tests/support/control_host.h"
#include "tests/support/vectors.h"

namespace magnetar {
namespace {

using namespace testing;
using nlohmann::json;

const UnderlayAddr kInitiatorAt = at("192.0.2.1:4242");
const UnderlayAddr kResponderAt = at("192.0.2.2:4242");

std::shared_ptr<const Identity> identity_of(const json& certificates, const std::string& host) {
  for (const json& row : certificates["hosts"]) {
    if (row["label"] != host) continue;
    Identity identity{
        .certificate = decoded(from_hex(row["protobuf"].get<std::string>())),
        .private_key = StaticPrivateKey{array_from_hex<32>(row["private_key"].get<std::string>())}};
    const auto ca = from_hex(certificates["cas"]["main"]["protobuf"].get<std::string>());
    if (!identity.cas.add(decoded(ca))) throw std::logic_error("the CA does not verify");
    return std::make_shared<const Identity>(std::move(identity));
  }
  throw std::logic_error("no such host");
}

// The draws that make this index come out of a fresh allocator of 65536 slots.
Bytes draw_of(std::uint32_t index) {
  Bytes bytes(8);
  store_be<std::uint32_t>(std::span(bytes).first<4>(), index << 16U);  // picks slot = low half
  store_be<std::uint32_t>(std::span(bytes).last<4>(), index);
  return bytes;
}

// The Time of a stage, out of what was recorded.
Now now_of(const json& transcript, const std::string& payload) {
  const auto read = handshake::parse_payload(from_hex(transcript[payload].get<std::string>()));
  return {Instant{std::chrono::seconds(1000)},
          WallTime{Duration{static_cast<Duration::rep>(read.value().time_ns)}}};
}

struct Case {
  json transcript;
  json certificates = load_vectors("certificates-v1.json");
  ScriptedRandom random;
  ControlSettings settings;

  explicit Case(json row) : transcript(std::move(row)) {
    settings.cipher =
        transcript["cipher"] == "aes" ? Cipher::kAes256Gcm : Cipher::kChaCha20Poly1305;
    random.expect(Bytes(16));  // the key of the recv_error limiter
    random.expect(Bytes(16));  // and of that of handshakes
  }
  void expect_draws(const std::string& role) {
    random.expect(draw_of(transcript[role + "_index"].get<std::uint32_t>()));
    random.expect(bytes(role + "_ephemeral_private"));
  }
  [[nodiscard]] Bytes bytes(const std::string& name) const {
    return from_hex(transcript[name].get<std::string>());
  }
};

// The keys of the session open what was recorded.
void expect_opens(const Case& c, const OpenSession& session, const std::string& role) {
  int opened = 0;
  for (const json& row : c.transcript["packets"]) {
    const auto packet = from_hex(row["packet"].get<std::string>());
    const bool ours = row["from"] == role;
    const auto plain = handshake::open_packet(
        c.settings.cipher, ours ? session.send_key : session.receive_key, packet);
    ASSERT_TRUE(plain);
    EXPECT_EQ(to_hex(*plain), row["plaintext"].get<std::string>());
    ++opened;
  }
  EXPECT_GT(opened, 10);
}

TEST(Transcript, AsInitiator) {
  const json vectors = load_vectors("handshakes-v1.json");
  for (const json& row : vectors["transcripts"]) {
    SCOPED_TRACE(row["cipher"].get<std::string>());
    Case c(row);
    c.expect_draws("initiator");
    c.settings.static_remotes[vpn("10.42.0.2")] = {kResponderAt};
    ControlPlane control(identity_of(c.certificates, "good-initiator"), c.settings, c.random);
    Actions out;
    control.on_packet_without_tunnel(vpn("10.42.0.2"), {Bytes(1)}, now_of(row, "stage1_payload"),
                                     out);
    EXPECT_EQ(to_hex(only<SendDatagram>(out).bytes), row["stage1_packet"].get<std::string>());
    EXPECT_TRUE(c.random.used_up());

    out.clear();
    const Bytes stage_2 = c.bytes("stage2_packet");
    control.on_handshake(kResponderAt, wire::parse_header(stage_2).value(), stage_2,
                         now_of(row, "stage2_payload"), out);
    const auto& session = only<OpenSession>(out);
    EXPECT_EQ(session.local.raw(), row["initiator_index"].get<std::uint32_t>());
    EXPECT_EQ(session.remote.raw(), row["responder_index"].get<std::uint32_t>());
    EXPECT_EQ(session.overlay_addrs, std::vector{vpn("10.42.0.2")});
    EXPECT_EQ(session.unsafe_networks, (std::vector{Prefix::parse("172.20.0.0/16").value(),
                                                    Prefix::parse("192.168.7.0/24").value()}));
    EXPECT_EQ(session.remote_addr, kResponderAt);
    expect_opens(c, session, "initiator");
    EXPECT_EQ(kinds(out), (std::vector<std::string>{"OpenSession", "SendQueued", "RoutePeer",
                                                    "HandshakeEnded", "LogEvent"}));
  }
}

TEST(Transcript, AsResponder) {
  const json vectors = load_vectors("handshakes-v1.json");
  for (const json& row : vectors["transcripts"]) {
    SCOPED_TRACE(row["cipher"].get<std::string>());
    Case c(row);
    c.expect_draws("responder");
    ControlPlane control(identity_of(c.certificates, "good-responder"), c.settings, c.random);
    Actions out;
    const Bytes stage_1 = c.bytes("stage1_packet");
    control.on_handshake(kInitiatorAt, wire::parse_header(stage_1).value(), stage_1,
                         now_of(row, "stage2_payload"), out);
    const auto& answer = only<SendDatagram>(out);
    EXPECT_EQ(to_hex(answer.bytes), row["stage2_packet"].get<std::string>());
    EXPECT_EQ(answer.to, kInitiatorAt);
    EXPECT_TRUE(c.random.used_up());
    const auto& session = only<OpenSession>(out);
    EXPECT_EQ(session.local.raw(), row["responder_index"].get<std::uint32_t>());
    EXPECT_EQ(session.remote.raw(), row["initiator_index"].get<std::uint32_t>());
    expect_opens(c, session, "responder");
    EXPECT_EQ(kinds(out), (std::vector<std::string>{"OpenSession", "SendDatagram", "RoutePeer",
                                                    "HandshakeEnded", "LogEvent"}));
  }
}

}  // namespace
}  // namespace magnetar
