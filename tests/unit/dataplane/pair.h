// SPDX-License-Identifier: Apache-2.0
// Two gateways facing each other, and an attacker between them.
#pragma once

#include <gtest/gtest.h>

#include "tests/support/data_plane.h"

namespace magnetar::testing {

inline const IpAddr kAlice = IpAddr::v4(0x0a2a0001);
inline const IpAddr kBob = IpAddr::v4(0x0a2a0002);
inline const UnderlayAddr kAlicesPlace{IpAddr::v4(0xc0000201), 4242};
inline const UnderlayAddr kBobsPlace{IpAddr::v4(0xc0000202), 4242};
inline const UnderlayAddr kStranger{IpAddr::v4(0xc6336409), 999};

// Alice (10.42.0.1 at 192.0.2.1) and Bob (10.42.0.2 at 192.0.2.2) with one tunnel between them.
struct Pair {
  explicit Pair(Cipher cipher = Cipher::kAes256Gcm) : alice(cipher), bob(cipher, kBob, kBobsPlace) {
    alice.add_peer(to_bob());
    bob.add_peer(to_alice());
  }
  static PeerSpec to_bob() {
    return {.local = LocalIndex{0xaaaa0001},
            .remote = RemoteIndex{0xbbbb0002},
            .send_key = key_of(1),
            .receive_key = key_of(2),
            .overlay = {kBob},
            .addr = kBobsPlace};
  }
  static PeerSpec to_alice() {
    return {.local = LocalIndex{0xbbbb0002},
            .remote = RemoteIndex{0xaaaa0001},
            .send_key = key_of(2),
            .receive_key = key_of(1),
            .overlay = {kAlice},
            .addr = kAlicesPlace};
  }
  // Alice's frame for a packet to Bob.
  Bytes sealed(const Bytes& packet) {
    alice.inside.arrive(packet);
    alice.run_until_idle();
    auto frames = alice.outside.take_sent();
    EXPECT_EQ(frames.size(), 1U);
    return frames.empty() ? Bytes{} : frames.front();
  }
  void to_bob_now(const Bytes& frame) {
    bob.outside.arrive(frame);
    bob.run_until_idle();
  }
  DataPlane alice;
  DataPlane bob;
};

}  // namespace magnetar::testing
