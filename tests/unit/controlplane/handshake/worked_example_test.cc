// SPDX-License-Identifier: Apache-2.0
// The worked example of protocol/wire.md section 9, computed by an implementation of its own: from
// the seeds of the keys to the last packet, with the hashes in between.
#include <gtest/gtest.h>

#include "controlplane/handshake/noise_ix.h"
#include "controlplane/handshake/payload.h"
#include "controlplane/handshake/transport_aead.h"
#include "controlplane/pki/ca_pool.h"
#include "controlplane/pki/codec_v1.h"
#include "tests/support/mint.h"
#include "tests/support/vectors.h"

namespace magnetar {
namespace {

using noise::Initiator;
using noise::Responder;
using testing::decoded;
using testing::to_hex;
using wire::Header;
using wire::MessageType;

template <typename Key>
Key counting_key(unsigned first) {
  Key key;
  for (std::byte& byte : key.fill()) byte = static_cast<std::byte>(first++);
  return key;
}

constexpr std::uint32_t kInitiatorIndex = 0x11223344;
constexpr std::uint32_t kResponderIndex = 0x55667788;
constexpr std::uint64_t kStage1Time = 1'700'000'100'000'000'000;
constexpr std::uint64_t kStage2Time = 1'700'000'100'050'000'000;

constexpr std::string_view kStage1 =
    "358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254"
    "8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f"
    "0a9a01"
    "0a85010a410a06686f73742d6112098180805480feffff0f2880e2cfaa063080a4a7da064a2088768289a6b6359595"
    "5c50531d39efbd8be898e948e2347dc66114e8be6512691240cdb08b5c595c53a64218acc60c578a0eb0585c412544"
    "a3e6c4f583d1fd8dff062e0ef7f7429e94d3952c580a055c342360355323276c06f28c06ac1fbfbcaa0f"
    "10c4e6888901"
    "2880d083f5d7a2e7cb17"
    "4001";
constexpr std::string_view kStage2 =
    "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d48466"
    "dafa2f50bec421c6e061a97013b8d9d582911be531e7e463f108e9389c74d589b9e2ad4dd3476319702193f230c9ef"
    "9c96b36852796bd46f2c4b713373fb837de1f3e63a4c6ec165be509802bf5d9af1676372723af0244323631c43fe31"
    "d2bf65320a9a2230232b29dcbbce5125379eeb38285d8faf3d48c7e1b6cf3c27639ccdc581811db07ea85f5ce35d4f"
    "64865614d072d201e35dffd6b73be77a847e1861d3e29324e5147a943e0fcd5b8ecc8d91c673a74907596c2127d5ee"
    "f06ea9b52d5230246e30370eddad9ad0cfedd44db6c26cfbac17f4093a0fe07db160e6661da23d";

struct Example : ::testing::Test {
  testing::SigningKey ca_key{0x11};
  pki::Certificate ca = decoded(testing::seal(testing::ca_details(ca_key), ca_key));
  StaticPrivateKey static_a = counting_key<StaticPrivateKey>(0x00);
  StaticPrivateKey static_b = counting_key<StaticPrivateKey>(0x01);
  pki::Certificate host_a = mint("host-a", "10.128.0.1/24", static_a);
  pki::Certificate host_b = mint("host-b", "10.128.0.2/24", static_b);

  pki::Certificate mint(const char* name, const char* network, const StaticPrivateKey& key) const {
    const auto public_key = noise::public_key_of(key);
    return decoded(testing::seal(testing::host_details(ca, name, network, public_key), ca_key));
  }
  Bytes payload(const pki::Certificate& host, std::uint32_t responder_index,
                std::uint64_t time_ns) const {
    return handshake::write_payload(
        {pki::encode_v1_for_handshake(host), kInitiatorIndex, responder_index, time_ns, 1});
  }
  struct Outcome {
    Bytes message_1;
    Bytes message_2;
    noise::Transport transport;
  };
  Outcome run(Cipher cipher) const {
    Initiator left(cipher, static_a, noise::key_pair_from(counting_key<EphemeralPrivateKey>(0x20)));
    Responder right(cipher, static_b);
    Bytes message_1 = left.write_message_1(payload(host_a, 0, kStage1Time));
    EXPECT_TRUE(right.read_message_1(message_1));
    auto answer =
        right.write_message_2(noise::key_pair_from(counting_key<EphemeralPrivateKey>(0x41)),
                              payload(host_b, kResponderIndex, kStage2Time));
    auto reply = left.read_message_2(answer.value().message);
    EXPECT_EQ(to_hex(reply.value().payload), to_hex(payload(host_b, kResponderIndex, kStage2Time)));
    return {std::move(message_1), std::move(answer->message), std::move(reply->transport)};
  }
};

TEST_F(Example, Certificates) {
  EXPECT_EQ(to_hex(pki::encode_v1(ca)),
            "0a390a07746573742d63612880e2cfaa063080e6fe89073a20d04ab232742bb4ab3a1368bd4615e4e6d022"
            "4ab71a016baf8520a332c9778737400112400362586fa679e4ae4fbf198b6311feb6b34994a82093afd874"
            "a2940fc866aae5ac1e52bcd5075d47747ff4011fb36370066b66d28383d26c0e4d691071ded504");
  EXPECT_EQ(ca.fingerprint.to_string(),
            "88768289a6b63595955c50531d39efbd8be898e948e2347dc66114e8be651269");
  EXPECT_EQ(pki::encode_v1(host_a).size(), 167U);
  EXPECT_EQ(pki::encode_v1_for_handshake(host_a).size(), 133U);
  EXPECT_EQ(host_a.fingerprint.to_string(),
            "82f128993983744b9bc1a596843a1f6b258778ae3bbb7e3a3d3799aaf8e79ca6");
  EXPECT_EQ(host_b.fingerprint.to_string(),
            "57ff86be5f2a64dc65332acf5639e377902a4f232a7877d219e492c07394c66f");
  pki::CaPool pool;
  ASSERT_TRUE(pool.add(ca));
  const WallTime now{Duration{kStage1Time}};
  EXPECT_TRUE(pool.verify(host_a, now, {}));
  EXPECT_TRUE(pool.verify(host_b, now, {}));
}

TEST_F(Example, HandshakeWithAes) {
  const Outcome outcome = run(Cipher::kAes256Gcm);
  EXPECT_EQ(to_hex(outcome.message_1), kStage1);
  EXPECT_EQ(to_hex(outcome.message_2), kStage2);
  EXPECT_EQ(to_hex(outcome.transport.handshake_hash),
            "07bb898630f38f5806afbba498f85b3600ed3b906e1630802f995b7a6c491b44");
  EXPECT_EQ(to_hex(outcome.transport.initiator_to_responder.reveal()),
            "5de737f58e0e08861ac8950053876632080f2505b0b405ee3eb04814f2014a4e");
  EXPECT_EQ(to_hex(outcome.transport.responder_to_initiator.reveal()),
            "ed4d1a075cdfc2af38e2091daf84be6a101ca70594b95681ecbed24842843889");
}

TEST_F(Example, HandshakeWithChaCha) {
  const Outcome outcome = run(Cipher::kChaCha20Poly1305);
  EXPECT_EQ(to_hex(outcome.transport.initiator_to_responder.reveal()),
            "afc35375e97bc5356be92f512193d0597f249cc2c10e58d99240416cb098e80a");
  EXPECT_EQ(to_hex(outcome.transport.responder_to_initiator.reveal()),
            "9ab30e9168c34108f46530743261594c6f6beb33cd30b23382e8c5b8ab96b798");
}

TEST_F(Example, PacketsOfTheTunnel) {
  const struct {
    const char* why;
    Cipher cipher;
    bool from_initiator;
    Header header;
    const char* plaintext;
    const char* packet;
  } cases[] = {
      {"first data packet",
       Cipher::kAes256Gcm,
       true,
       {MessageType::kMessage, 0, kResponderIndex, Counter{3}},
       "nebula-data-test",
       "11000000556677880000000000000003f2ff0e65fd9bef99d3ad98251a16221d4550becb1539be4dce347ca5daf"
       "51316"},
      {"test request",
       Cipher::kAes256Gcm,
       true,
       {MessageType::kTest, 0, kResponderIndex, Counter{4}},
       "",
       "1400000055667788000000000000000465625d833a0c0a16defa3fff1523d018"},
      {"close tunnel",
       Cipher::kAes256Gcm,
       false,
       {MessageType::kCloseTunnel, 0, kInitiatorIndex, Counter{3}},
       "",
       "15000000112233440000000000000003e14240bc6e63e7976621f51385ee7178"},
      {"test reply",
       Cipher::kAes256Gcm,
       false,
       {MessageType::kTest, 1, kInitiatorIndex, Counter{4}},
       "",
       "140100001122334400000000000000045451959afe528c0a7db8fd2e9d2e0a97"},
      {"first data packet",
       Cipher::kChaCha20Poly1305,
       true,
       {MessageType::kMessage, 0, kResponderIndex, Counter{3}},
       "nebula-data-test",
       "1100000055667788000000000000000352e23b9463d52297fa67d28a361056daa6331b7833e23ae5e1205c3d0d7"
       "61a52"},
  };
  for (const auto& [why, cipher, from_initiator, header, plaintext, packet] : cases) {
    SCOPED_TRACE(std::string(why) + ", " + std::string(cipher_name(cipher)));
    const Outcome outcome = run(cipher);
    const TransportKey& key = from_initiator ? outcome.transport.initiator_to_responder
                                             : outcome.transport.responder_to_initiator;
    EXPECT_EQ(to_hex(handshake::seal_packet(cipher, key, header, as_bytes(plaintext))), packet);
  }
}

// The running values of h, token by token, on the responder's side.
TEST_F(Example, RunningHashes) {
  const Bytes message_2 = testing::from_hex(kStage2);
  const ByteView rest = message_2;
  noise::SymmetricState state(Cipher::kAes256Gcm);
  state.mix_hash({});
  EXPECT_EQ(to_hex(state.hash()),
            "fa8036af1df9e55b2fbbf8c88d86be3f7392d38033bd67926b9b0143f8ea5782");
  const Bytes message_1 = testing::from_hex(kStage1);
  state.mix_hash(ByteView(message_1).first(32));
  state.mix_hash(ByteView(message_1).subspan(32, 32));
  state.mix_hash(ByteView(message_1).subspan(64));
  EXPECT_EQ(to_hex(state.hash()),
            "3b093e17d89c066394b4656a191a416dd5f15ab2b80030f2f26941af20005c49");
  state.mix_hash(rest.first(32));
  EXPECT_EQ(to_hex(state.hash()),
            "905e79ce51071bc698c52316537c279ee89211e15742c146be90ede591ecfc76");
  state.mix_hash(rest.subspan(32, 48));
  EXPECT_EQ(to_hex(state.hash()),
            "c7079d9504a0a5edf88208976ec8471576431ebf0342659c103938af9dc623b8");
  state.mix_hash(rest.subspan(80));
  EXPECT_EQ(to_hex(state.hash()),
            "07bb898630f38f5806afbba498f85b3600ed3b906e1630802f995b7a6c491b44");
}

// The same with texts for payloads: the Noise part alone.
TEST_F(Example, NoiseSelfCheck) {
  Initiator left(Cipher::kAes256Gcm, static_a,
                 noise::key_pair_from(counting_key<EphemeralPrivateKey>(0x20)));
  Responder right(Cipher::kAes256Gcm, static_b);
  const Bytes message_1 = left.write_message_1(as_bytes("test_msg_0"));
  EXPECT_EQ(to_hex(message_1),
            "358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd1662548f40c5adb68f25624ae5b2"
            "14ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f746573745f6d73675f30");
  ASSERT_TRUE(right.read_message_1(message_1));
  const auto answer = right.write_message_2(
      noise::key_pair_from(counting_key<EphemeralPrivateKey>(0x41)), as_bytes("test_msg_1"));
  EXPECT_EQ(to_hex(answer.value().message),
            "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d48466dafa2f50bec421c6e061a9"
            "7013b8d9d582911be531e7e463f108e9389c74d589194a720639279eaac9d876aa00c2ece2e8761a2ca307"
            "ad49797cd0cea8728f2de0b353ea74d3206276e7");
}

}  // namespace
}  // namespace magnetar
