// SPDX-License-Identifier: Apache-2.0
// However much one peer sends, another's packet waits for the bursts before it in its queue, and
// the other direction for one burst.
#include <gtest/gtest.h>

#include "tests/support/data_plane.h"
#include "tests/support/inner_packets.h"

namespace magnetar {
namespace {

using testing::DataPlane;
using testing::ipv4;
using testing::key_of;
using testing::PeerSpec;

const IpAddr kAlice = IpAddr::v4(0x0a2a0001);
const IpAddr kBob = IpAddr::v4(0x0a2a0002);
const IpAddr kCarol = IpAddr::v4(0x0a2a0003);

PeerSpec peer(IpAddr overlay, std::uint32_t index, std::uint32_t underlay) {
  PeerSpec spec;
  spec.local = LocalIndex{index};
  spec.remote = RemoteIndex{index};
  spec.send_key = key_of(1);
  spec.receive_key = key_of(1);
  spec.overlay = {overlay};
  spec.addr = {IpAddr::v4(underlay), 4242};
  return spec;
}

struct Fairness : ::testing::Test {
  Fairness() {
    alice.add_peer(peer(kBob, 0x11110001, 0xc0000202));
    alice.add_peer(peer(kCarol, 0x22220002, 0xc0000203));
  }
  // Whether a packet to Carol is among what has left.
  bool carols_has_left() {
    bool found = false;
    for (const Bytes& frame : alice.outside.take_sent())
      found |= wire::parse_header(ByteView(frame).subspan(42))->index == 0x22220002;
    return found;
  }
  DataPlane alice{Cipher::kAes256Gcm};
};

TEST_F(Fairness, APacketWaitsForTheBurstsBeforeItAlone) {
  for (const std::size_t before : {0U, 63U, 64U, 1000U}) {
    SCOPED_TRACE(before);
    for (std::size_t i = 0; i < before; ++i) alice.inside.arrive(ipv4(kAlice, kBob, 8));
    alice.inside.arrive(ipv4(kAlice, kCarol, 8));
    for (std::size_t i = 0; i < 1000; ++i) alice.inside.arrive(ipv4(kAlice, kBob, 8));
    for (std::size_t round = 0; round < before / kBurst; ++round) {
      EXPECT_EQ(alice.worker.run_once(), kBurst) << "one burst a round, whoever sends";
      EXPECT_FALSE(carols_has_left());
    }
    alice.worker.run_once();
    EXPECT_TRUE(carols_has_left());
    alice.run_until_idle();
    alice.outside.take_sent();
  }
}

TEST_F(Fairness, AFloodOfOneDirectionLeavesTheOtherItsTurn) {
  const Bytes junk(60, std::byte{0});
  for (std::size_t i = 0; i < 2000; ++i) alice.outside.arrive(junk);
  alice.inside.arrive(ipv4(kAlice, kCarol, 8));
  EXPECT_EQ(alice.worker.run_once(), kBurst + 1);
  EXPECT_TRUE(carols_has_left());
}

}  // namespace
}  // namespace magnetar
