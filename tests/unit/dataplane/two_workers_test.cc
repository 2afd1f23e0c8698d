// SPDX-License-Identifier: Apache-2.0
// Two workers on one session while the control thread moves and republishes: what TSan is for.
#include <thread>

#include <gtest/gtest.h>

#include "drivers/crypto/ipsec_mb.h"
#include "tests/support/data_plane.h"

namespace magnetar {
namespace {

using testing::DataPlane;
using testing::key_of;
using testing::MemoryPort;
using testing::PeerSpec;

constexpr int kPackets = 1500;  // less than the replay window: order between workers is free
const IpAddr kAlice = IpAddr::v4(0x0a2a0001);
const IpAddr kBob = IpAddr::v4(0x0a2a0002);

Bytes ipv4(IpAddr from, IpAddr to, std::size_t payload) {
  Bytes packet(20 + payload, std::byte{0xab});
  packet[0] = std::byte{0x45};
  store_be<std::uint16_t>(std::span(packet).subspan<2, 2>(),
                          static_cast<std::uint16_t>(packet.size()));
  packet[6] = packet[7] = std::byte{0};
  std::ranges::copy(from.network_bytes(), packet.begin() + 12);
  std::ranges::copy(to.network_bytes(), packet.begin() + 16);
  return packet;
}

PeerSpec spec(IpAddr overlay, std::uint32_t underlay, std::uint8_t send, std::uint8_t receive) {
  PeerSpec peer;
  peer.remote = RemoteIndex{peer.local.raw()};
  peer.send_key = key_of(send);
  peer.receive_key = key_of(receive);
  peer.overlay = {overlay};
  peer.addr = {IpAddr::v4(underlay), 4242};
  return peer;
}

// A second worker on the tables of a DataPlane.
struct SecondWorker {
  explicit SecondWorker(DataPlane& plane, Grace& grace)
      : outside(plane.pool.get()),
        inside(plane.pool.get()),
        aead(make_ipsec_mb(Cipher::kAes256Gcm)),
        worker({1, outside, inside, plane.sessions, plane.routes, plane.facts, *aead, plane.rings,
                stats},
               grace, IdlePolicy::kPoll) {}
  MemoryPort outside;
  MemoryPort inside;
  std::unique_ptr<Aead> aead;
  WorkerStats stats;
  Worker worker;
};

TEST(TwoWorkers, DeliverEachPacketOnceWhateverTheControlThreadDoes) {
  DataPlane alice(Cipher::kAes256Gcm);
  DataPlane bob(Cipher::kAes256Gcm, kBob, {IpAddr::v4(0xc0000202), 4242}, 2);
  alice.add_peer(spec(kBob, 0xc0000202, 1, 2));
  const Session& from_alice = bob.add_peer(spec(kAlice, 0xc0000201, 2, 1));
  SecondWorker second(bob, bob.grace);
  bob.grace.enter(1);
  for (int i = 0; i < kPackets; ++i) {
    alice.inside.arrive(ipv4(kAlice, kBob, 40));
    (i % 2 == 0 ? bob.inside : second.inside).arrive(ipv4(kBob, kAlice, 40));
  }
  alice.run_until_idle();
  for (const Bytes& frame : alice.outside.take_sent()) {  // both workers get every packet
    bob.outside.arrive(frame);
    second.outside.arrive(frame);
  }

  const auto work = [](Worker& worker) {
    while (worker.run_once() > 0) {
    }
  };
  std::thread first_thread([&] { work(bob.worker); });
  std::thread second_thread([&] { work(second.worker); });
  PeerSpec other = spec(IpAddr::v4(0x0a2a0003), 0xc0000203, 3, 4);
  other.local = LocalIndex{0x77770005};
  for (int i = 0; i < 200; ++i) {
    bob.sessions.move(from_alice, std::make_unique<Remote>(*from_alice.hot->remote.load()));
    bob.add_peer(other);
    bob.routes.erase(other.overlay);
    bob.sessions.retire(other.local);
    bob.sessions.reap();
    bob.routes.reap();
  }
  first_thread.join();
  second_thread.join();

  EXPECT_EQ(bob.inside.take_sent().size() + second.inside.take_sent().size(), kPackets);
  const auto dropped = [](const WorkerStats& stats) {
    return stats.drops[static_cast<std::size_t>(Verdict::kReplayed)].get();
  };
  EXPECT_EQ(dropped(bob.stats) + dropped(second.stats), kPackets) << "every packet came twice";
  std::vector<std::uint64_t> counters;
  for (MemoryPort* port : {&bob.outside, &second.outside})
    for (const Bytes& frame : port->take_sent())
      counters.push_back(wire::parse_header(ByteView(frame).subspan(42))->counter.raw());
  std::ranges::sort(counters);
  ASSERT_EQ(counters.size(), static_cast<std::size_t>(kPackets));
  for (std::size_t i = 0; i < counters.size(); ++i)
    EXPECT_EQ(counters[i], 3 + i) << "no nonce twice";
  bob.grace.leave(1);
}

}  // namespace
}  // namespace magnetar
