// SPDX-License-Identifier: Apache-2.0
// Two hosts of one network that know each other's underlay address: alice has the lower overlay
// address. And what the tests of both roles do with them.
#pragma once

#include "tests/support/control_host.h"

namespace magnetar::testing {

using Strings = std::vector<std::string>;

inline const VpnAddr kAlice = vpn("10.42.0.1");
inline const VpnAddr kBob = vpn("10.42.0.2");
inline const VpnAddr kEve = vpn("10.42.0.3");
inline const UnderlayAddr kAliceAt = at("192.0.2.1:4242");
inline const UnderlayAddr kBobAt = at("192.0.2.2:4242");
inline const UnderlayAddr kEveAt = at("192.0.2.3:4242");

inline ControlSettings knowing(VpnAddr peer, std::vector<UnderlayAddr> where) {
  ControlSettings settings;
  settings.static_remotes[peer] = std::move(where);
  return settings;
}

struct Pair {
  Authority authority;
  ControlHost alice{authority.shared_host("alice", "10.42.0.1/16", 0xa1), kAliceAt,
                    knowing(kBob, {kBobAt}), 1};
  ControlHost bob{authority.shared_host("bob", "10.42.0.2/16", 0xb0), kBobAt,
                  knowing(kAlice, {kAliceAt}), 2};

  void pass(Duration time) {
    alice.pass(time);
    bob.pass(time);
  }
  // Alice's stage 1, as it leaves.
  Bytes stage_1(std::string_view queued = "hello") {
    return only<SendDatagram>(alice.packet(kBob, queued)).bytes;
  }
  struct Stood {
    LocalIndex alice;
    LocalIndex bob;
    Bytes stage_1;
    Bytes stage_2;
  };
  // A whole good handshake that alice starts.
  Stood stand() {
    Stood stood;
    stood.stage_1 = stage_1();
    const Actions answered = bob.receive(kAliceAt, stood.stage_1);
    stood.stage_2 = only<SendDatagram>(answered).bytes;
    stood.bob = only<OpenSession>(answered).local;
    stood.alice = only<OpenSession>(alice.receive(kBobAt, stood.stage_2)).local;
    return stood;
  }
};

inline std::string text_of(const QueuedPacket& packet) { return to_text(packet.packet); }

}  // namespace magnetar::testing
