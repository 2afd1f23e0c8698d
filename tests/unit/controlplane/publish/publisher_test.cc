// SPDX-License-Identifier: Apache-2.0
#include "controlplane/publish/publisher.h"

#include <map>

#include <gtest/gtest.h>

#include "controlplane/handshake/transport_aead.h"
#include "dataplane/packet/meta.h"
#include "drivers/crypto/ipsec_mb.h"
#include "tests/support/data_plane.h"
#include "tests/support/eal.h"

namespace magnetar {
namespace {

using testing::key_of;

const UnderlayAddr kOwn{IpAddr::v4(0xc0000201), 4242};
const UnderlayAddr kPeer{IpAddr::v4(0xc0000202), 4242};
const UnderlayAddr kElsewhere{IpAddr::v4(0xc6336409), 777};
const VpnAddr kOverlay{IpAddr::v4(0x0a2a0002)};
constexpr LocalIndex kLocal{0x12340001};

// A network in which the test decides who can be reached.
class Paths final : public PathFinder {
 public:
  std::optional<wire::OuterPath> path_to(const UnderlayAddr& to) override {
    if (!reachable) return std::nullopt;
    return wire::OuterPath{
        .source_mac = {}, .next_mac = next_mac, .source = kOwn, .destination = to};
  }
  void forget() override { ++forgotten; }
  bool reachable = true;
  MacAddr next_mac{std::byte{2}};
  int forgotten = 0;
};

struct Fixture : ::testing::Test {
  Fixture()
      : pool(testing::make_pool(4095)),
        sessions(64, grace),
        routes(64, grace),
        rings(2, 64, 64),
        aead(make_ipsec_mb(Cipher::kAes256Gcm)),
        publisher({sessions, routes, rings, *aead, paths,
                   [this](const UnderlayAddr& to, ByteView bytes) {
                     by_kernel.emplace_back(to, to_vector(bytes));
                     return kernel_sends;
                   },
                   pool.get(), 2, 1500}) {}

  void open() {
    OpenSession action{.local = kLocal,
                       .remote = RemoteIndex{77},
                       .send_key = key_of(1),
                       .receive_key = key_of(2),
                       .overlay_addrs = {kOverlay},
                       .unsafe_networks = {},
                       .remote_addr = kPeer};
    publisher.carry_out(action);
  }
  std::vector<Bytes> frames(unsigned worker) {
    std::vector<Bytes> out;
    rte_mbuf* mbuf = nullptr;
    while (rings.take_frames(worker, {&mbuf, 1}) == 1) {
      out.push_back(to_vector(view_of(*mbuf)));
      rte_pktmbuf_free(mbuf);
    }
    return out;
  }
  static Bytes opened(const Bytes& frame) {
    auto text = handshake::open_packet(Cipher::kAes256Gcm, key_of(1), ByteView(frame).subspan(42));
    EXPECT_TRUE(text);
    return text ? *text : Bytes{};
  }
  static Bytes text(std::size_t size, unsigned fill) {
    return Bytes(size, static_cast<std::byte>(fill));
  }

  testing::Pool pool;
  Grace grace{2};
  SessionTable sessions;
  RouteTable routes;
  ControlRings rings;
  std::unique_ptr<Aead> aead;
  Paths paths;
  std::vector<std::pair<UnderlayAddr, Bytes>> by_kernel;
  bool kernel_sends = true;
  Publisher publisher;
};

TEST_F(Fixture, AMessageIsSealedWithTheNextCounter) {
  open();
  publisher.carry_out(
      SendInSession{kLocal, wire::MessageType::kTest, wire::kSubtypeTestReply, text(5, 9)});
  publisher.carry_out(SendInSession{kLocal, wire::MessageType::kCloseTunnel, 0, {}});
  const auto sent = frames(0);
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(opened(sent[0]), text(5, 9));
  const auto first = wire::parse_header(ByteView(sent[0]).subspan(42));
  const auto second = wire::parse_header(ByteView(sent[1]).subspan(42));
  EXPECT_EQ(*first, (wire::Header{.type = wire::MessageType::kTest,
                                  .subtype = wire::kSubtypeTestReply,
                                  .index = 77,
                                  .counter = Counter{3}}));
  EXPECT_EQ(second->counter, Counter{4});
  EXPECT_EQ(sent[1].size(), 42U + 32);
}

TEST_F(Fixture, QueuedPacketsLeaveInOrderThroughTheirWorker) {
  open();
  SendQueued queued{kLocal, {}};
  for (unsigned i = 0; i < 6; ++i)
    queued.packets.push_back({text(20 + i, i), static_cast<std::uint16_t>(i % 2)});
  publisher.carry_out(queued);
  for (unsigned worker = 0; worker < 2; ++worker) {
    const auto sent = frames(worker);
    ASSERT_EQ(sent.size(), 3U);
    for (unsigned i = 0; i < 3; ++i)
      EXPECT_EQ(opened(sent[i]), text(20 + 2 * i + worker, 2 * i + worker));
  }
}

TEST_F(Fixture, EachWorkerSendsAStage2AheadOfItsData) {
  open();
  publisher.carry_out(SendDatagram{kPeer, text(30, 1), true});
  SendQueued queued{kLocal, {}};
  for (unsigned i = 0; i < 2; ++i)
    queued.packets.push_back({text(20, i), static_cast<std::uint16_t>(i)});
  publisher.carry_out(queued);
  publisher.carry_out(SendDatagram{kPeer, text(30, 2)});
  for (unsigned worker = 0; worker < 2; ++worker) {
    const auto sent = frames(worker);
    ASSERT_EQ(sent.size(), worker == 0 ? 3U : 2U) << "what is ahead of nothing leaves once";
    EXPECT_EQ(to_vector(ByteView(sent[0]).subspan(42)), text(30, 1));
    EXPECT_EQ(opened(sent[1]), text(20, worker));
  }
}

TEST_F(Fixture, WhatOnlyTheKernelCanReachGoesThroughIt) {
  paths.reachable = false;
  open();
  publisher.carry_out(SendDatagram{kPeer, text(30, 1)});
  publisher.carry_out(SendInSession{kLocal, wire::MessageType::kTest, 0, text(3, 4)});
  EXPECT_TRUE(frames(0).empty());
  ASSERT_EQ(by_kernel.size(), 2U);
  EXPECT_EQ(by_kernel[0], (std::pair{kPeer, text(30, 1)}));
  EXPECT_EQ(*handshake::open_packet(Cipher::kAes256Gcm, key_of(1), by_kernel[1].second),
            text(3, 4));
  EXPECT_EQ(publisher.unreachable(), 0U);
  kernel_sends = false;
  publisher.carry_out(SendDatagram{kPeer, text(30, 1)});
  EXPECT_EQ(publisher.unreachable(), 1U);
}

TEST_F(Fixture, WhereTheKernelResolvesSessionsNeedNoNeighbourAndAnswersDo) {
  paths.next_mac = {};
  open();
  publisher.carry_out(SendDatagram{kPeer, text(30, 1), true});
  publisher.carry_out(SendInSession{kLocal, wire::MessageType::kTest, 0, text(3, 4)});
  ASSERT_EQ(by_kernel.size(), 1U);
  EXPECT_EQ(by_kernel[0], (std::pair{kPeer, text(30, 1)}));
  EXPECT_EQ(frames(0).size(), 1U);
  EXPECT_TRUE(frames(1).empty());
}

TEST_F(Fixture, APathThatAppearsIsTakenAndOneThatIsLostIsKept) {
  paths.reachable = false;
  open();
  const auto remote = [&] { return sessions.find(kLocal)->hot->remote.load(); };
  EXPECT_FALSE(remote()->reachable());
  paths.reachable = true;
  publisher.refresh_paths();
  EXPECT_TRUE(remote()->reachable());
  EXPECT_EQ(paths.forgotten, 1);
  const Remote* before = remote();
  publisher.refresh_paths();
  EXPECT_EQ(remote(), before) << "nothing changed, nothing is published";
  paths.next_mac = {std::byte{4}};
  publisher.refresh_paths();
  EXPECT_NE(remote()->header, wire::OuterTemplate{});
  const Remote* moved = remote();
  EXPECT_NE(moved, before);
  paths.reachable = false;
  publisher.refresh_paths();
  EXPECT_EQ(remote(), moved) << "the old next hop still takes packets";
}

TEST_F(Fixture, AMovedPeerIsSentToItsNewAddress) {
  open();
  sessions.find(kLocal)->hot->move_noticed = true;
  publisher.carry_out(MoveSession{kLocal, kElsewhere});
  const SessionHot& hot = *sessions.find(kLocal)->hot;
  EXPECT_EQ(hot.remote.load()->addr, kElsewhere);
  EXPECT_EQ(hot.remote_key.load(), wire::underlay_key(kElsewhere));
  publisher.noticed(kLocal);
  publisher.rearm_notices();
  EXPECT_FALSE(hot.move_noticed);
}

TEST_F(Fixture, WhatAPathCarriesStaysUntilThePeerMoves) {
  open();
  const auto remote = [&] { return sessions.find(kLocal)->hot->remote.load(); };
  const UnderlayAddr before = remote()->addr;
  EXPECT_EQ(remote()->carries(1500), 1440U);
  publisher.carry_out(SetPathMtu{kLocal, 1400});
  EXPECT_EQ(remote()->carries(1500), 1340U);
  EXPECT_EQ(remote()->carries(1300), 1240U) << "the port does not carry more for it";
  EXPECT_EQ(remote()->addr, before);
  EXPECT_TRUE(remote()->reachable());
  paths.next_mac = {std::byte{4}};
  publisher.refresh_paths();
  EXPECT_EQ(remote()->carries(1500), 1340U) << "another next hop";
  publisher.carry_out(MoveSession{kLocal, kElsewhere});
  EXPECT_EQ(remote()->carries(1500), 1440U) << "another path";
}

TEST_F(Fixture, TooBigFullAndClosedAreCounted) {
  open();
  publisher.carry_out(SendInSession{kLocal, wire::MessageType::kTest, 0, text(1441, 1)});
  EXPECT_EQ(publisher.too_big(), 1U);
  publisher.carry_out(SendInSession{kLocal, wire::MessageType::kTest, 0, text(1440, 1)});
  EXPECT_EQ(frames(0).at(0).size(), 1514U);
  publisher.carry_out(SendDatagram{kPeer, text(20'000, 1)});
  EXPECT_EQ(publisher.too_big(), 2U);
  for (int i = 0; i < 70; ++i) publisher.carry_out(SendDatagram{kPeer, text(20, 1)});
  EXPECT_EQ(publisher.overflowed(), 7U);  // a ring of 64 holds 63
  publisher.carry_out(RoutePeer{kOverlay, kLocal});
  publisher.carry_out(UnroutePeer{kOverlay});
  publisher.carry_out(CloseSession{kLocal});
  EXPECT_EQ(sessions.find(kLocal), nullptr);
  EXPECT_FALSE(publisher.tallies(kLocal));
  publisher.reap();
  frames(0);
}

}  // namespace
}  // namespace magnetar
