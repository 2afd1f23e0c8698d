// SPDX-License-Identifier: Apache-2.0
// Alice and bob with an address of each family and certificates of either version or both.
#pragma once

#include "controlplane/handshake/payload.h"
#include "tests/support/issuer.h"
#include "tests/unit/controlplane/tunnel/pair.h"

namespace magnetar::testing {

inline const VpnAddr kAlice6 = vpn("fd42::1");
inline const VpnAddr kBob6 = vpn("fd42::2");

inline HostSpec alice_with(std::set<int> versions, int initiating = 0) {
  return {.name = "alice",
          .networks = {"10.42.0.1/16", "fd42::1/64"},
          .versions = std::move(versions),
          .initiating = initiating,
          .key = 0xa1};
}
inline HostSpec bob_with(std::set<int> versions, int initiating = 0) {
  return {.name = "bob",
          .networks = {"10.42.0.2/16", "fd42::2/64"},
          .versions = std::move(versions),
          .initiating = initiating,
          .key = 0xb0};
}

inline ControlSettings knowing_bob() {
  ControlSettings settings = knowing(kBob, {kBobAt});
  settings.static_remotes[kBob6] = {kBobAt};
  return settings;
}

// The payload of a stage 1, which travels in the clear.
inline handshake::Payload payload_of(ByteView stage_1, Curve curve) {
  const auto skipped = wire::Header::kSize + 2 * public_key_size(curve);
  return handshake::parse_payload(stage_1.subspan(skipped)).value();
}

struct Network {
  explicit Network(const HostSpec& a, const HostSpec& b, Curve curve = Curve::k25519)
      : issuer(curve),
        alice(issuer.shared_host(a), kAliceAt, knowing_bob(), 1),
        bob(issuer.shared_host(b), kBobAt, knowing(kAlice, {kAliceAt}), 2) {}

  // A whole handshake that alice starts; the versions that bob and alice were shown.
  struct Shown {
    int to_bob;
    int to_alice;
  };
  Shown stand(const VpnAddr& target = kBob) {
    const Bytes stage_1 = only<SendDatagram>(alice.packet(target, "x")).bytes;
    const Actions answered = bob.receive(kAliceAt, stage_1);
    const Actions finished = alice.receive(kBobAt, only<SendDatagram>(answered).bytes);
    EXPECT_EQ(results(finished), Strings{"initiator ok"});
    const OpenSession& at_bob = only<OpenSession>(answered);
    const OpenSession& at_alice = only<OpenSession>(finished);
    EXPECT_TRUE(at_bob.send_key == at_alice.receive_key);
    local_alice = at_alice.local;
    local_bob = at_bob.local;
    return {version_of(bob), version_of(alice)};
  }
  static int version_of(const ControlHost& host) {
    return host.control.tunnels().at(0).cert_version.value();
  }

  Issuer issuer;
  ControlHost alice;
  ControlHost bob;
  LocalIndex local_alice;
  LocalIndex local_bob;
};

}  // namespace magnetar::testing
