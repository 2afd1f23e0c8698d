// SPDX-License-Identifier: Apache-2.0
// Two tunnels to one peer that do not serve the same of its addresses: bob was shown a version 1
// certificate in one and version 2 in the other.
#include <gtest/gtest.h>

#include "tests/unit/controlplane/tunnel/dual_stack.h"

namespace magnetar {
namespace {

using namespace testing;
using namespace std::chrono_literals;

// What waited for one address of the peer must not leave by the tunnel that is used for another.
TEST(SeveralAddresses, WhatWaitedForAnAddressLeavesByTheTunnelThatServesIt) {
  Network network(alice_with({1, 2}), bob_with({1, 2}));
  EXPECT_EQ(network.stand().to_bob, 1);
  EXPECT_EQ(all<SendDatagram>(network.alice.packet(kBob6, "six")).size(), 1U);
  network.bob.control.replace_static_remotes({{kAlice6, {kAliceAt}}});
  const Bytes theirs = only<SendDatagram>(network.bob.packet(kAlice6, "x")).bytes;
  const Actions out = network.alice.receive(kBobAt, theirs);
  ASSERT_EQ(all<OpenSession>(out).size(), 1U);
  const SendQueued& sent = only<SendQueued>(out);
  EXPECT_NE(sent.session, network.local_alice) << "bob has seen no IPv6 address of ours there";
}

// One in each version: bob's own one serves the IPv4 address, alice's the other.
struct SideBySide : Network {
  SideBySide() : Network(alice_with({1, 2}), bob_with({1, 2})) {
    EXPECT_EQ(stand(kBob6).to_bob, 2);
    wide = local_alice;
    pass(1s);
    const Bytes stage_1 = fresh_stage_1();
    const Actions answered = alice.receive(kBobAt, stage_1);
    narrow = only<OpenSession>(answered).local;
    alice.traffic.of(narrow).in = true;
    pass(100ms);
    EXPECT_EQ(only<RoutePeer>(alice.tick()).addr, kBob);
  }
  void pass(Duration time) {
    alice.pass(time);
    bob.pass(time);
  }
  // Of a bob that knows of no tunnel.
  Bytes fresh_stage_1() {
    ControlHost again(issuer.shared_host(bob_with({1, 2})), kBobAt, knowing(kAlice, {kAliceAt}), 7);
    again.now = bob.now;
    return only<SendDatagram>(again.packet(kAlice, "x")).bytes;
  }

  LocalIndex wide;
  LocalIndex narrow;
};

TEST(SeveralAddresses, EachOfTwoTunnelsIsThePrimaryOfSome) {
  SideBySide network;
  for (const TunnelView& view : network.alice.control.tunnels()) EXPECT_TRUE(view.primary);
  EXPECT_EQ(only<SendQueued>(network.alice.packet(kBob, "4")).session, network.narrow);
  EXPECT_EQ(only<SendQueued>(network.alice.packet(kBob6, "6")).session, network.wide);
}

TEST(SeveralAddresses, AnAddressIsReplacedByWhatServesIt) {
  SideBySide network;
  HostSpec renewed = alice_with({1, 2});
  renewed.unsafe_networks = {"172.16.0.0/12"};
  network.alice.control.replace_identity(network.issuer.shared_host(renewed));
  network.pass(5s);
  network.alice.traffic.of(network.wide).in = true;
  const Actions out = network.alice.tick();
  EXPECT_EQ(payload_of(only<SendDatagram>(out).bytes, Curve::k25519).certificate_version, 2U);
  const TunnelView pending = network.alice.control.tunnels().back();
  EXPECT_FALSE(pending.up);
  EXPECT_EQ(pending.overlay_addrs, std::vector<VpnAddr>{kBob6});
}

// Version 1 has no network for bob's IPv6 address: nothing that we could begin would serve it.
TEST(SeveralAddresses, WhatNoNewTunnelCouldServeIsNotReplaced) {
  Network network(alice_with({2}), bob_with({1, 2}));
  network.stand();
  std::vector<LocalIndex> tunnels{network.local_alice};
  network.alice.control.replace_identity(network.issuer.shared_host(alice_with({1})));
  std::size_t attempts = 0;
  for (int i = 0; i < 10; ++i) {
    network.alice.pass(5s);
    network.bob.pass(5s);
    for (const LocalIndex tunnel : tunnels) network.alice.traffic.of(tunnel).in = true;
    const Actions out = network.alice.tick();
    for (const SendDatagram* stage_1 : all<SendDatagram>(out)) {
      ++attempts;
      const Actions answered = network.bob.receive(kAliceAt, stage_1->bytes);
      const Actions done = network.alice.receive(kBobAt, only<SendDatagram>(answered).bytes);
      EXPECT_EQ(results(done), Strings{"initiator ok"});
      EXPECT_EQ(only<RoutePeer>(done).addr, kBob);
      tunnels.push_back(only<OpenSession>(done).local);
    }
  }
  EXPECT_EQ(attempts, 1U);
}

// Bob compares by his first address, also where the tunnel serves only another one of his.
TEST(SeveralAddresses, BothSidesAgreeWhoDecides) {
  Issuer issuer;
  const HostSpec alice_1{.name = "alice",
                         .networks = {"10.42.200.1/24", "10.43.0.1/8"},
                         .versions = {1, 2},
                         .key = 0xa1};
  const VpnAddr bob_there = vpn("10.42.200.2");
  ControlHost alice(issuer.shared_host(alice_1), kAliceAt, knowing(bob_there, {kBobAt}), 1);
  const auto bob = issuer.shared_host(
      {.name = "bob", .networks = {"10.1.0.1/8", "10.42.200.2/24"}, .versions = {2}, .key = 0xb0});
  ControlHost first(bob, kBobAt, knowing(vpn("10.42.200.1"), {kAliceAt}), 2);

  const Bytes stage_1 = only<SendDatagram>(alice.packet(bob_there, "x")).bytes;
  const Actions answered = first.receive(kAliceAt, stage_1);
  const Actions stood = alice.receive(kBobAt, only<SendDatagram>(answered).bytes);
  const LocalIndex narrow = only<OpenSession>(stood).local;
  ASSERT_EQ(only<OpenSession>(stood).overlay_addrs, std::vector<VpnAddr>{bob_there});

  ControlHost again(bob, kBobAt, knowing(vpn("10.42.200.1"), {kAliceAt}), 3);
  alice.pass(1s);
  again.pass(1s);
  const Bytes theirs = only<SendDatagram>(again.packet(vpn("10.42.200.1"), "x")).bytes;
  const LocalIndex wide = only<OpenSession>(alice.receive(kBobAt, theirs)).local;
  alice.traffic.of(wide).in = true;
  alice.pass(100ms);
  EXPECT_EQ(all<RoutePeer>(alice.tick()).size(), 1U) << "the wide one is heard, and used";

  for (int i = 0; i < 4; ++i) {
    alice.pass(5s);
    alice.traffic.of(narrow).in = alice.traffic.of(wide).in = true;
    EXPECT_TRUE(all<RoutePeer>(alice.tick()).empty()) << "alice is the higher one: she decides";
  }
}

}  // namespace
}  // namespace magnetar
