// SPDX-License-Identifier: Apache-2.0
// Handshakes that others start: good ones, repeats, races, and everything that is not one.
#include <gtest/gtest.h>

#include "controlplane/handshake/payload.h"
#include "controlplane/tunnel/responder_side.h"
#include "tests/support/vectors.h"
#include "tests/unit/controlplane/tunnel/pair.h"

namespace magnetar {
namespace {

using namespace testing;
using namespace std::chrono_literals;
using nlohmann::json;

// A stage 1 with this payload, and an honest Noise message around it.
Bytes stage_1_of(const StaticPrivateKey& key, const handshake::Payload& payload) {
  std::array<std::byte, 32> ephemeral;
  ephemeral.fill(std::byte{0x77});
  noise::Initiator noise(Cipher::kAes256Gcm, key,
                         noise::key_pair_from(EphemeralPrivateKey{ephemeral}));
  Bytes packet(wire::Header::kSize);
  wire::write_header(std::span(packet).first<wire::Header::kSize>(), {.counter = Counter{1}});
  append(packet, noise.write_message_1(handshake::write_payload(payload)));
  return packet;
}

TEST(Responder, KeepsNothingButTheTunnel) {
  Pair pair;
  const Actions out = pair.bob.receive(kAliceAt, pair.stage_1());
  EXPECT_EQ(kinds(out),
            (Strings{"OpenSession", "SendDatagram", "RoutePeer", "HandshakeEnded", "LogEvent"}));
  EXPECT_EQ(results(out), Strings{"responder ok"});
  EXPECT_EQ(only<RoutePeer>(out).addr, kAlice);
  EXPECT_EQ(pair.bob.control.tunnels_pending(), 0U);
  EXPECT_EQ(pair.bob.control.tunnels_up(), 1U);
}

TEST(Responder, ARepeatGetsTheSameStage2WhereverItComesFrom) {
  Pair pair;
  const auto stood = pair.stand();
  pair.pass(3s);
  const Actions again = pair.bob.receive(kEveAt, stood.stage_1);
  EXPECT_EQ(kinds(again), Strings{"SendDatagram"});
  EXPECT_EQ(only<SendDatagram>(again).bytes, stood.stage_2);
  EXPECT_EQ(only<SendDatagram>(again).to, kEveAt);
  EXPECT_EQ(pair.bob.control.tunnels()[0].remote, kAliceAt) << "which moves nothing";
}

TEST(Responder, ARepeatIsKnownAmongAllTunnelsOfThePeer) {
  Pair pair;
  const auto first = pair.stand();
  pair.pass(1s);
  pair.alice.close(kBob);
  const auto second = pair.stand();  // bob, who was not told, has two now
  ASSERT_EQ(pair.bob.control.tunnels_up(), 2U);
  EXPECT_EQ(only<SendDatagram>(pair.bob.receive(kAliceAt, first.stage_1)).bytes, first.stage_2);
  EXPECT_EQ(only<SendDatagram>(pair.bob.receive(kAliceAt, second.stage_1)).bytes, second.stage_2);
  EXPECT_EQ(pair.bob.control.tunnels_up(), 2U);
}

TEST(Responder, AStage1OlderThanTheTunnelIsRefusedAndTheTunnelTested) {
  Pair pair;
  const Bytes old = pair.stage_1();
  pair.pass(1s);
  pair.alice.close(kBob);
  const auto stood = pair.stand();
  pair.bob.traffic.of(stood.bob).in = true;  // only a Time that was confirmed counts
  const Actions out = pair.bob.receive(kAliceAt, old);
  EXPECT_EQ(reasons(out), Strings{"stage1_too_old"});
  EXPECT_EQ(results(out), Strings{"responder stage1_too_old"});
  EXPECT_TRUE(all<SendDatagram>(out).empty());
  const auto& test = only<SendInSession>(out);
  EXPECT_EQ(test.session, stood.bob);
  EXPECT_EQ(test.type, wire::MessageType::kTest);
  EXPECT_EQ(test.subtype, wire::kSubtypeTestRequest);
  EXPECT_TRUE(test.plaintext.empty());

  // Whoever recorded that stage 1 must not be able to flood the peer with our tests.
  EXPECT_TRUE(all<SendInSession>(pair.bob.receive(kAliceAt, old)).empty());
  pair.pass(5s);
  pair.bob.traffic.of(stood.bob).in = true;
  pair.bob.tick();
  EXPECT_EQ(all<SendInSession>(pair.bob.receive(kAliceAt, old)).size(), 1U);
}

TEST(Responder, TooOldDoesNotApplyToTunnelsWeStarted) {
  Pair pair;
  const Bytes alices = pair.stage_1();  // at the same time as bob's
  ControlHost bob(pair.authority.shared_host("bob", "10.42.0.2/16", 0xb0), kBobAt,
                  knowing(kAlice, {kAliceAt}), 3);
  ControlHost alice(pair.authority.shared_host("alice", "10.42.0.1/16", 0xa1), kAliceAt, {}, 4);
  const Bytes bobs = only<SendDatagram>(bob.packet(kAlice, "x")).bytes;
  alice.pass(1s);
  bob.receive(kAliceAt, only<SendDatagram>(alice.receive(kBobAt, bobs)).bytes);
  ASSERT_EQ(bob.control.tunnels_up(), 1U);
  EXPECT_EQ(results(bob.receive(kAliceAt, alices)), Strings{"responder ok"});
}

TEST(Responder, NewTunnelsArePrimaryAndTheSixthEvictsTheOldest) {
  Pair pair;
  std::vector<Pair::Stood> stood;
  for (int i = 0; i < 5; ++i) {
    stood.push_back(pair.stand());
    pair.alice.close(kBob);
    pair.pass(1s);
  }
  EXPECT_EQ(pair.bob.control.tunnels_up(), 5U);
  const Actions sixth = pair.bob.receive(kAliceAt, pair.stage_1());
  EXPECT_EQ(pair.bob.control.tunnels_up(), 5U);
  EXPECT_EQ(only<CloseSession>(sixth).session, stood[0].bob);
  EXPECT_EQ(only<RoutePeer>(sixth).session, only<OpenSession>(sixth).local);
  for (const TunnelView& view : pair.bob.control.tunnels())
    EXPECT_EQ(view.primary, view.local_index == only<OpenSession>(sixth).local);
}

TEST(Responder, ARaceIsDecidedByTheOverlayAddress) {
  Pair pair;
  const Bytes alices = pair.stage_1("from alice");
  const Bytes bobs = only<SendDatagram>(pair.bob.packet(kAlice, "from bob")).bytes;

  const Actions at_bob = pair.bob.receive(kAliceAt, alices);
  EXPECT_EQ(reasons(at_bob), Strings{"race_won"}) << "bob is higher and goes on";
  EXPECT_TRUE(all<SendDatagram>(at_bob).empty());
  EXPECT_EQ(pair.bob.control.tunnels_up(), 0U);

  const Actions at_alice = pair.alice.receive(kBobAt, bobs);
  EXPECT_EQ(kinds(at_alice), (Strings{"OpenSession", "SendDatagram", "SendQueued", "RoutePeer",
                                      "HandshakeEnded", "HandshakeEnded", "LogEvent"}));
  EXPECT_EQ(results(at_alice), (Strings{"initiator superseded", "responder ok"}));
  EXPECT_EQ(text_of(only<SendQueued>(at_alice).packets[0]), "from alice");
  EXPECT_EQ(pair.alice.control.tunnels_pending(), 0U);
  pair.alice.pass(200ms);
  EXPECT_TRUE(pair.alice.tick().empty()) << "her attempt is not sent again";

  const Actions stood = pair.bob.receive(kAliceAt, only<SendDatagram>(at_alice).bytes);
  EXPECT_EQ(text_of(only<SendQueued>(stood).packets[0]), "from bob");
  EXPECT_EQ(pair.alice.control.tunnels_up() + pair.bob.control.tunnels_up(), 2U);
}

TEST(Responder, TheLowerSideOfARaceMayHearFirst) {
  Pair pair;
  const Bytes alices = pair.stage_1("from alice");
  const Bytes bobs = only<SendDatagram>(pair.bob.packet(kAlice, "from bob")).bytes;
  const Actions at_alice = pair.alice.receive(kBobAt, bobs);
  EXPECT_EQ(results(pair.bob.receive(kAliceAt, only<SendDatagram>(at_alice).bytes)),
            Strings{"initiator ok"});
  EXPECT_EQ(pair.bob.control.tunnels_pending(), 0U);
}

TEST(Responder, OurOwnStage1ComesBack) {
  Pair pair;
  const Bytes mine = pair.stage_1();
  const Actions out = pair.alice.receive(kEveAt, mine);
  EXPECT_EQ(reasons(out), Strings{"self_handshake"});
  EXPECT_EQ(results(out), Strings{"responder self_handshake"});
  EXPECT_EQ(pair.alice.control.tunnels_up(), 0U);
}

TEST(Responder, WhatTheHeaderOrSourceAloneForbids) {
  Pair pair;
  const Bytes good = pair.stage_1();
  const struct {
    std::string why;
    std::uint32_t index;
    std::uint64_t counter;
    UnderlayAddr from;
  } cases[] = {
      {"stage1_index", 1, 1, kAliceAt},
      {"handshake_counter", 0, 0, kAliceAt},
      {"handshake_counter", 0, 3, kAliceAt},
      {"handshake_counter", 0xdeadbeef, 99, kAliceAt},
      {"stage2_unknown", 0xdeadbeef, 2, kAliceAt},
      {"stage2_unknown", 0, 2, kAliceAt},
      {"own_address", 0, 1, kBobAt},
      {"no_port", 0, 1, UnderlayAddr{kAliceAt.ip, 0}},
  };
  for (const auto& [why, index, counter, from] : cases) {
    SCOPED_TRACE(why);
    Bytes packet = good;
    wire::write_header(std::span(packet).first<wire::Header::kSize>(),
                       {.index = index, .counter = Counter{counter}});
    const Actions out = pair.bob.receive(from, packet);
    EXPECT_EQ(kinds(out), Strings{"Refused"});
    EXPECT_EQ(reasons(out), Strings{why});
    EXPECT_EQ(pair.bob.control.tunnels_up(), 0U);
  }
  EXPECT_EQ(results(pair.bob.receive(kAliceAt, good)), Strings{"responder ok"});
}

TEST(Responder, EveryLengthOfGarbageCostsOneRefusalAndNoMore) {
  Pair pair;
  SeededRandom random(5);
  Bytes garbage(2000);
  for (std::size_t length = 0; length <= 2000; ++length) {
    random.fill(garbage);
    const ByteView packet = ByteView(garbage).first(length);
    for (const std::uint64_t counter : {1U, 2U}) {
      Actions out;
      pair.bob.control.on_handshake(kAliceAt, {.counter = Counter{counter}}, packet, pair.bob.now,
                                    out);
      ASSERT_EQ(kinds(out), Strings{"Refused"}) << length;
    }
  }
  EXPECT_TRUE(pair.bob.control.tunnels().empty());
  EXPECT_FALSE(pair.bob.control.next_timeout());
}

TEST(Responder, EveryTruncationOfAStage1IsRefused) {
  Pair pair;
  const Bytes good = pair.stage_1();
  for (std::size_t length = wire::Header::kSize; length < good.size(); ++length) {
    const Actions out = pair.bob.receive(kAliceAt, ByteView(good).first(length));
    ASSERT_EQ(kinds(out).front(), "Refused") << length;
    ASSERT_EQ(pair.bob.control.tunnels_up(), 0U) << length;
  }
  Bytes oversized = good;
  oversized.resize(handshake::kMaxPacketSize + 1);
  EXPECT_EQ(reasons(pair.bob.receive(kAliceAt, oversized)), Strings{"handshake_too_long"});
}

TEST(Responder, PayloadsThatSayTooLittle) {
  Pair pair;
  Authority authority;
  const Identity mallory = authority.host("mallory", "10.42.0.9/16", 9);
  const Bytes certificate = pki::encode_v1_for_handshake(mallory.certificate);
  const struct {
    std::string why;
    handshake::Payload payload;
  } cases[] = {
      {"no_peer_index", {.certificate = certificate, .time_ns = 1}},
      {"no_certificate", {.initiator_index = 1, .time_ns = 1}},
      {"cert_malformed", {.certificate = Bytes(10), .initiator_index = 1, .time_ns = 1}},
      {"cert_malformed",  // it holds a public key
       {.certificate = pki::encode_v1(mallory.certificate), .initiator_index = 1, .time_ns = 1}},
      {"cert_version",
       {.certificate = certificate, .initiator_index = 1, .time_ns = 1, .certificate_version = 3}},
  };
  for (const auto& [why, payload] : cases) {
    SCOPED_TRACE(why);
    const Actions out = pair.bob.receive(kAliceAt, stage_1_of(mallory.private_key, payload));
    EXPECT_EQ(kinds(out), Strings{"Refused"});
    EXPECT_EQ(reasons(out), Strings{why});
  }
}

TEST(Responder, AStage1WithALowOrderKeyIsRefusedAndItsSlotFree) {
  Authority authority;
  ControlSettings settings;
  settings.max_tunnels = 1;
  ControlHost bob(authority.shared_host("bob", "10.42.0.2/16", 2), kBobAt, settings);
  ControlHost alice(authority.shared_host("alice", "10.42.0.1/16", 1), kAliceAt,
                    knowing(kBob, {kBobAt}));
  const Bytes good = only<SendDatagram>(alice.packet(kBob, "x")).bytes;
  Bytes broken = good;
  std::ranges::fill(std::span(broken).subspan(wire::Header::kSize, 32), std::byte{0});
  EXPECT_EQ(reasons(bob.receive(kAliceAt, broken)), Strings{"low_order_key"});
  EXPECT_EQ(results(bob.receive(kAliceAt, good)), Strings{"responder ok"});
  ControlHost eve(authority.shared_host("eve", "10.42.0.3/16", 3), kEveAt, knowing(kBob, {kBobAt}));
  EXPECT_EQ(reasons(bob.receive(kEveAt, only<SendDatagram>(eve.packet(kBob, "x")).bytes)),
            Strings{"table_full"});
}

// The recorded certificates, each in an otherwise perfect stage 1 made with its private key.
TEST(Responder, RefusesEveryFailingCertificateByItsReason) {
  const std::map<std::string, std::string> expected = {
      {"expired", "cert_expired"},
      {"not-yet-valid", "cert_not_yet_valid"},
      {"unknown-ca", "cert_unknown_issuer"},
      {"expired-ca", "cert_ca_expired"},
      {"restricted-bad-ip", "cert_network_not_allowed"},
      {"restricted-bad-mask", "cert_network_not_allowed"},
      {"restricted-bad-subnet", "cert_unsafe_network_not_allowed"},
      {"restricted-bad-group", "cert_group_not_allowed"},
      {"outlives-ca", "cert_ca_expired"},
      {"tampered-signature", "cert_bad_signature"},
      {"tampered-groups", "cert_bad_signature"},
      {"wrong-responder", "cert_blocked"},
  };
  const json vectors = load_vectors("certificates-v1.json");
  Authority own;
  Identity bob = own.host("bob", "10.99.0.1/16", 2);
  for (const json& name : vectors["trusted"]) {
    const auto& ca = vectors["cas"][name.get<std::string>()]["protobuf"];
    ASSERT_TRUE(bob.cas.add(decoded(from_hex(ca.get<std::string>()))));
  }
  bob.blocklist.insert(
      pki::Fingerprint::parse(vectors["blocklist"]["fingerprint"].get<std::string>()).value());
  ControlHost host(std::make_shared<const Identity>(std::move(bob)), kBobAt);

  std::size_t refused = 0;
  for (const json& row : vectors["hosts"]) {
    const auto name = row["label"].get<std::string>();
    SCOPED_TRACE(name);
    const auto certificate = decoded(from_hex(row["protobuf"].get<std::string>()));
    const StaticPrivateKey key{array_from_hex<32>(row["private_key"].get<std::string>())};
    const Actions out = host.receive(
        kAliceAt, stage_1_of(key, {.certificate = pki::encode_v1_for_handshake(certificate),
                                   .initiator_index = 7,
                                   .time_ns = 1}));
    const auto reason = expected.find(name);
    if (reason == expected.end()) {
      EXPECT_EQ(results(out), Strings{"responder ok"});
      continue;
    }
    ++refused;
    EXPECT_EQ(kinds(out), (Strings{"Refused", "HandshakeEnded", "LogEvent"}));
    EXPECT_EQ(reasons(out), Strings{reason->second});
    EXPECT_EQ(results(out), Strings{"responder " + reason->second});
    EXPECT_EQ(only<LogEvent>(out).level, LogLevel::kDebug);
  }
  EXPECT_EQ(refused, expected.size());
}

TEST(Responder, ReplacedIdentityIsUsedAtOnce) {
  Pair pair;
  Identity strict = pair.authority.host("bob", "10.42.0.2/16", 0xb0);
  strict.blocklist.insert(
      pair.authority.host("alice", "10.42.0.1/16", 0xa1).certificate.fingerprint);
  pair.bob.control.replace_identity(std::make_shared<const Identity>(std::move(strict)));
  EXPECT_EQ(reasons(pair.bob.receive(kAliceAt, pair.stage_1())), Strings{"cert_blocked"});
}

}  // namespace
}  // namespace magnetar
