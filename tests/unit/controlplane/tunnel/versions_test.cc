// SPDX-License-Identifier: Apache-2.0
// Certificates of two versions and two curves: what is shown to whom (wire.md 3.7), what replaces a
// tunnel afterwards (handshake.md section 8), and what is refused.
#include <optional>

#include <gtest/gtest.h>

#include "controlplane/pki/codec.h"
#include "controlplane/pki/der.h"
#include "tests/unit/controlplane/tunnel/dual_stack.h"

namespace magnetar {
namespace {

using namespace testing;
using namespace std::chrono_literals;

TEST(Versions, WhatIsShownToWhom) {
  const struct {
    const char* why;
    HostSpec alice;
    HostSpec bob;
    int to_bob;
    int to_alice;
  } cases[] = {
      {"version 1 alone", alice_with({1}), bob_with({1}), 1, 1},
      {"version 2 alone", alice_with({2}), bob_with({2}), 2, 2},
      {"both have both, and begin with 1", alice_with({1, 2}), bob_with({1, 2}), 1, 1},
      {"both have both, alice begins with 2", alice_with({1, 2}, 2), bob_with({1, 2}), 2, 2},
      {"bob can answer in version 1", alice_with({1}), bob_with({1, 2}, 2), 1, 1},
      {"bob can answer in version 2", alice_with({2}), bob_with({1, 2}), 2, 2},
      {"bob has version 2 only: mixed", alice_with({1}), bob_with({2}), 1, 2},
      {"bob has version 1 only: mixed", alice_with({2}), bob_with({1}), 2, 1},
      {"alice begins with 1 and bob has 2 only", alice_with({1, 2}), bob_with({2}), 1, 2},
      {"alice begins with 2 and bob has 1 only", alice_with({1, 2}, 2), bob_with({1}), 2, 1},
  };
  for (const Curve curve : {Curve::k25519, Curve::kP256}) {
    for (const auto& [why, alice, bob, to_bob, to_alice] : cases) {
      SCOPED_TRACE(std::string(why) + ", " + std::string(curve_name(curve)));
      Network network(alice, bob, curve);
      const auto shown = network.stand();
      EXPECT_EQ(shown.to_bob, to_bob);
      EXPECT_EQ(shown.to_alice, to_alice);
    }
  }
}

// 1.6.1 reads no version; what it does not know it must not be sent.
TEST(Versions, TheVersionIsWrittenForVersion2Only) {
  for (const Curve curve : {Curve::k25519, Curve::kP256}) {
    for (const int version : {1, 2}) {
      Network network(alice_with({version}), bob_with({version}), curve);
      const Bytes stage_1 = only<SendDatagram>(network.alice.packet(kBob, "x")).bytes;
      const auto payload = payload_of(stage_1, curve);
      EXPECT_EQ(payload.certificate_version, version == 1 ? 0U : 2U);
      const auto mine =
          network.issuer.certificate(alice_with({version}), static_cast<std::uint8_t>(version));
      const auto key = PublicKey::from(curve, mine.public_key).value();
      const auto shown =
          pki::decode_from_handshake(static_cast<std::uint8_t>(version), payload.certificate, key);
      ASSERT_TRUE(shown) << "without its key: " << shown.error().what;
      EXPECT_EQ(shown->signed_bytes, mine.signed_bytes);
      EXPECT_EQ(shown->curve, curve);
    }
  }
}

TEST(Versions, AnIpv6TargetNeedsVersion2) {
  Network both(alice_with({1, 2}), bob_with({2}));
  const auto shown = both.stand(kBob6);
  EXPECT_EQ(shown.to_bob, 2) << "although handshakes begin with 1";

  Network old(alice_with({1}), bob_with({2}));
  EXPECT_EQ(reasons(old.alice.packet(kBob6, "x")), Strings{"no_own_cert"});
  EXPECT_EQ(old.alice.control.tunnels_pending(), 0U);
  EXPECT_EQ(old.stand(kBob).to_bob, 1);
}

TEST(Versions, APeerHasEveryAddressOfTheCertificateItShowed) {
  Network network(alice_with({2}), bob_with({2}));
  network.stand();
  const auto at_alice = network.alice.control.tunnels().at(0).overlay_addrs;
  EXPECT_EQ(at_alice, (std::vector<VpnAddr>{kBob, kBob6}));
  // Both lead to the one session.
  EXPECT_EQ(all<SendQueued>(network.alice.packet(kBob6, "y")).size(), 1U);
}

// Bob has seen a certificate without alice's address there, and drops what comes from it.
TEST(Versions, ATunnelServesWhatTheCertificateShownInItDoes) {
  const VpnAddr other = vpn("10.43.0.2");
  for (const VpnAddr& second : {kBob6, other}) {
    SCOPED_TRACE(second.to_string());
    HostSpec alice = alice_with({1, 2});
    HostSpec bob = bob_with({2});
    alice.networks.emplace_back("10.43.0.1/16");
    bob.networks.emplace_back("10.43.0.2/16");
    Network network(alice, bob);
    ControlSettings known = knowing_bob();
    known.static_remotes[other] = {kBobAt};
    network.alice.control.replace_static_remotes(known.static_remotes);
    EXPECT_EQ(network.stand().to_bob, 1);
    EXPECT_EQ(network.alice.control.tunnels().at(0).overlay_addrs, std::vector<VpnAddr>{kBob});

    const Actions out = network.alice.packet(second, "y");
    EXPECT_TRUE(all<SendQueued>(out).empty());
    const Bytes stage_1 = only<SendDatagram>(out).bytes;
    EXPECT_EQ(payload_of(stage_1, Curve::k25519).certificate_version, 2U);
    const Actions answered = network.bob.receive(kAliceAt, stage_1);
    const Actions finished = network.alice.receive(kBobAt, only<SendDatagram>(answered).bytes);
    EXPECT_EQ(only<SendQueued>(finished).packets.size(), 1U);
    std::vector<VpnAddr> routed;
    for (const RoutePeer* route : all<RoutePeer>(finished)) routed.push_back(route->addr);
    EXPECT_EQ(routed.size(), 3U) << "the new tunnel serves all of bob";
  }
}

TEST(Versions, WhoeverHasOneOfOurAddressesOnlyIsOurselves) {
  Network network(alice_with({2}), bob_with({2}));
  HostSpec twin = alice_with({2});
  twin.name = "twin";
  twin.networks = {"10.42.9.9/16", "fd42::2/64"};  // bob's second address
  twin.key = 0x77;
  ControlHost host(network.issuer.shared_host(twin), kEveAt, knowing(kBob, {kBobAt}), 5);
  const Bytes stage_1 = only<SendDatagram>(host.packet(kBob, "x")).bytes;
  EXPECT_EQ(reasons(network.bob.receive(kEveAt, stage_1)), Strings{"self_handshake"});
}

TEST(Versions, AMislabelledCertificateIsRefused) {
  const Issuer issuer;
  const Identity mallory = issuer.host(alice_with({1, 2}));
  const Bytes v1 = pki::encode_for_handshake(*mallory.find(1));
  const Bytes v2 = pki::encode_for_handshake(*mallory.find(2));
  const Bytes whole = pki::encode(*mallory.find(2));
  const struct {
    const char* why;
    Bytes certificate;
    std::uint32_t version;
    const char* reason;  // null: accepted
  } cases[] = {
      {"version 2 as 2", v2, 2, nullptr},
      {"version 1 as 1", v1, 1, nullptr},
      {"version 1 as nothing", v1, 0, nullptr},
      {"version 2 as 1", v2, 1, "cert_malformed"},
      {"version 2 as nothing", v2, 0, "cert_malformed"},
      {"version 1 as 2", v1, 2, "cert_malformed"},
      {"version 2 with its key", whole, 2, "cert_malformed"},
      {"version 3", v2, 3, "cert_version"},
      {"version 258", v2, 258, "cert_version"},
  };
  for (const auto& [why, certificate, version, reason] : cases) {
    SCOPED_TRACE(why);
    ControlHost bob(issuer.shared_host(bob_with({1, 2})), kBobAt, {}, 2);
    noise::Initiator noise(Cipher::kAes256Gcm, mallory.private_key,
                           noise::key_pair_from(EphemeralPrivateKey(mallory.private_key.reveal())));
    Bytes packet(wire::Header::kSize);
    wire::write_header(std::span(packet).first<wire::Header::kSize>(),
                       {.type = wire::MessageType::kHandshake, .counter = Counter{1}});
    append(packet,
           noise.write_message_1(handshake::write_payload({.certificate = certificate,
                                                           .initiator_index = 7,
                                                           .time_ns = 1,
                                                           .certificate_version = version})));
    const Actions out = bob.receive(kAliceAt, packet);
    EXPECT_EQ(reasons(out), reason == nullptr ? Strings{} : Strings{reason});
    EXPECT_EQ(all<OpenSession>(out).size(), reason == nullptr ? 1U : 0U);
  }
}

TEST(Versions, APeerOfTheOtherCurveIsNotUnderstood) {
  const Issuer issuer;
  ControlHost of_25519(issuer.shared_host(bob_with({2})), kBobAt, knowing(kAlice, {kAliceAt}), 2);
  const Issuer other(Curve::kP256);
  ControlHost of_p256(other.shared_host(alice_with({2})), kAliceAt, knowing_bob(), 1);
  const Bytes p256 = only<SendDatagram>(of_p256.packet(kBob, "x")).bytes;
  EXPECT_EQ(reasons(of_25519.receive(kAliceAt, p256)), Strings{"payload_malformed"});
  const Bytes x25519 = only<SendDatagram>(of_25519.packet(kAlice, "x")).bytes;
  EXPECT_EQ(all<OpenSession>(of_p256.receive(kBobAt, x25519)).size(), 0U);
}

// Its key is of our curve, its certificate of the other one.
TEST(Versions, ACertificateOfAnotherCurveThanItsKeyIsRefused) {
  const Issuer p256(Curve::kP256);
  const Issuer x25519;
  for (const std::uint8_t version : {std::uint8_t{1}, std::uint8_t{2}}) {
    Identity bob = x25519.host(bob_with({1, 2}));
    const Identity stranger = p256.host(bob_with({2}));
    for (const auto& [fingerprint, ca] : stranger.cas.cas()) ASSERT_TRUE(bob.cas.add(ca));
    ControlHost host(std::make_shared<const Identity>(std::move(bob)), kBobAt, {}, 2);
    const auto certificate = p256.certificate(alice_with({1, 2}), version);
    // The handshake form of version 2 names no curve, unless somebody writes one.
    Bytes shown = pki::encode_for_handshake(certificate);
    if (version == 2) {
      const auto details = ByteView(certificate.signed_bytes);
      Bytes content = to_vector(details.first(details.size() - 1 - certificate.public_key.size()));
      pki::append_der(content, 0x81, std::array{std::byte{1}});
      pki::append_der(content, 0x83, certificate.signature);
      shown.clear();
      pki::append_der(shown, 0x30, content);
    }
    const StaticPrivateKey key{std::array<std::byte, 32>{std::byte{5}}};
    noise::Initiator noise(Cipher::kAes256Gcm, key,
                           noise::key_pair_from(EphemeralPrivateKey(key.reveal())));
    Bytes packet(wire::Header::kSize);
    wire::write_header(std::span(packet).first<wire::Header::kSize>(),
                       {.type = wire::MessageType::kHandshake, .counter = Counter{1}});
    append(packet,
           noise.write_message_1(handshake::write_payload({.certificate = shown,
                                                           .initiator_index = 7,
                                                           .time_ns = 1,
                                                           .certificate_version = version})));
    EXPECT_EQ(reasons(host.receive(kAliceAt, packet)), Strings{"cert_curve_mismatch"})
        << int{version};
  }
}

TEST(Versions, WhatReplacesATunnelThatIsInUse) {
  const struct {
    const char* why;
    HostSpec before;  // alice, who started
    HostSpec bob;
    HostSpec after;                  // alice after a reload
    std::optional<int> begins_with;  // none: the tunnel stays
  } cases[] = {
      {"both have both", alice_with({1, 2}), bob_with({1, 2}), alice_with({1, 2}), std::nullopt},
      {"the peer shows 2, and we have it, too", alice_with({1, 2}), bob_with({2}),
       alice_with({1, 2}), 2},
      {"the peer shows 2, which we do not have", alice_with({1}), bob_with({2}), alice_with({1}),
       std::nullopt},
      {"we begin with 2 from now on", alice_with({1, 2}), bob_with({1, 2}), alice_with({1, 2}, 2),
       2},
      {"we begin with 1 from now on: no way back", alice_with({1, 2}, 2), bob_with({1, 2}),
       alice_with({1, 2}), std::nullopt},
      {"upgrade: version 1 is gone", alice_with({1}), bob_with({1, 2}), alice_with({2}), 2},
      {"downgrade: version 2 is gone", alice_with({2}), bob_with({1, 2}), alice_with({1}), 1},
      {"version 2 came, the peer shows 1", alice_with({1}), bob_with({1}), alice_with({1, 2}),
       std::nullopt},
      {"version 2 came, the peer shows it", alice_with({1}), bob_with({2}), alice_with({1, 2}), 2},
  };
  for (const auto& [why, before, bob, after, begins_with] : cases) {
    SCOPED_TRACE(why);
    Network network(before, bob);
    network.stand();
    network.alice.traffic.of(network.local_alice).in = true;
    network.alice.control.replace_identity(network.issuer.shared_host(after));
    network.alice.pass(5s);
    const Actions out = network.alice.tick();
    const auto sent = all<SendDatagram>(out);
    ASSERT_EQ(sent.size(), begins_with ? 1U : 0U);
    if (!begins_with) continue;
    const auto payload = payload_of(sent[0]->bytes, Curve::k25519);
    EXPECT_EQ(std::max(payload.certificate_version, 1U), static_cast<unsigned>(*begins_with));
    network.bob.pass(5s);
    const Actions answered = network.bob.receive(kAliceAt, sent[0]->bytes);
    EXPECT_EQ(results(answered), Strings{"responder ok"});
    EXPECT_EQ(results(network.alice.receive(kBobAt, only<SendDatagram>(answered).bytes)),
              Strings{"initiator ok"});
  }
}

// 1.6.1 cannot read version 2: it does not answer, and is not asked at every check.
TEST(Versions, AnUpgradeThatIsNotAnsweredIsTriedOnce) {
  Network network(alice_with({1, 2}), bob_with({1}));
  network.stand();
  network.alice.control.replace_identity(network.issuer.shared_host(alice_with({1, 2}, 2)));
  int attempts = 0;
  for (int i = 0; i < 600; ++i) {
    network.alice.traffic.of(network.local_alice).in = true;
    network.alice.pass(100ms);
    const Actions out = network.alice.tick();
    for (const SendDatagram* sent : all<SendDatagram>(out)) {
      EXPECT_EQ(payload_of(sent->bytes, Curve::k25519).certificate_version, 2U);
      ++attempts;
    }
  }
  EXPECT_EQ(attempts, 10) << "one attempt and its retransmissions";
  EXPECT_EQ(network.alice.control.tunnels_up(), 1U) << "the tunnel stays";
}

// S32: whoever has both and began with 1 corrects it, whichever side that is.
TEST(Versions, ABeginnersMismatchIsCorrectedByWhoCan) {
  Network network(alice_with({1, 2}), bob_with({2}));
  EXPECT_EQ(network.stand().to_bob, 1);
  network.bob.traffic.of(network.local_bob).in = true;
  network.bob.pass(5s);
  EXPECT_TRUE(all<SendDatagram>(network.bob.tick()).empty()) << "bob has shown all he has";
}

TEST(Versions, ABlockedP256CertificateDoesNotComeInByItsOtherForm) {
  Network network(alice_with({2}), bob_with({2}), Curve::kP256);
  Identity bob = network.issuer.host(bob_with({2}));
  Identity alice = network.issuer.host(alice_with({2}));
  bob.blocklist = {alice.certificate.fingerprint};
  alice.certificate.signature = crypto::other_form(alice.certificate.signature).value();
  ControlHost guarded(std::make_shared<const Identity>(std::move(bob)), kBobAt, {}, 7);
  ControlHost turned(std::make_shared<const Identity>(std::move(alice)), kAliceAt, knowing_bob(),
                     8);
  const Bytes stage_1 = only<SendDatagram>(turned.packet(kBob, "x")).bytes;
  EXPECT_EQ(reasons(guarded.receive(kAliceAt, stage_1)), Strings{"cert_blocked"});
}

}  // namespace
}  // namespace magnetar
