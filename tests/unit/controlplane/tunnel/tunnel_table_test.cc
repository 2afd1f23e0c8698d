// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/tunnel_table.h"

#include <gtest/gtest.h>

#include "tests/support/control_host.h"

namespace magnetar {
namespace {

using testing::vpn;

Tunnel tunnel(std::uint32_t local, std::uint32_t remote, std::vector<VpnAddr> addrs) {
  return {
      .local = LocalIndex{local}, .remote = RemoteIndex{remote}, .overlay_addrs = std::move(addrs)};
}

TEST(TunnelTable, EachAddressOfAPeerHasItsOwnOrder) {
  const VpnAddr four = vpn("10.42.0.2");
  const VpnAddr six = vpn("fd42::2");
  TunnelTable table;
  table.insert(tunnel(1, 11, {four, six}));
  table.insert(tunnel(2, 12, {four}));
  EXPECT_EQ(table.primary(four)->local, LocalIndex{2});
  EXPECT_EQ(table.primary(six)->local, LocalIndex{1});
  EXPECT_EQ(table.all(four).size(), 2U);
  table.erase(LocalIndex{2});
  EXPECT_EQ(table.primary(four)->local, LocalIndex{1});
  table.erase(LocalIndex{1});
  EXPECT_EQ(table.primary(four), nullptr);
  EXPECT_EQ(table.primary(six), nullptr);
  EXPECT_EQ(table.size(), 0U);
}

TEST(TunnelTable, PeersMayChooseTheSameIndex) {
  TunnelTable table;
  table.insert(tunnel(1, 77, {vpn("10.42.0.2")}));
  table.insert(tunnel(2, 77, {vpn("10.42.0.3")}));
  EXPECT_EQ(table.with_remote(RemoteIndex{77}).size(), 2U);
  table.erase(LocalIndex{1});
  ASSERT_EQ(table.with_remote(RemoteIndex{77}).size(), 1U);
  EXPECT_EQ(table.with_remote(RemoteIndex{77})[0]->local, LocalIndex{2});
}

TEST(TunnelTable, AnAnswerIsForgottenWithItsTunnel) {
  TunnelTable table;
  Tunnel answered = tunnel(1, 11, {vpn("10.42.0.2")});
  answered.answer = CachedAnswer{.stage_1 = {std::byte{5}}, .stage_2 = Bytes(3)};
  const Stage1Id id = answered.answer->stage_1;
  EXPECT_FALSE(table.insert(std::move(answered)).initiator());
  ASSERT_NE(table.find_answered(id), nullptr);
  table.erase(LocalIndex{1});
  EXPECT_EQ(table.find_answered(id), nullptr);
}

TEST(TunnelTable, TheHeaderIsNoPartOfAStage1) {
  Bytes one(100, std::byte{1});
  Bytes two = one;
  two[3] = std::byte{9};
  EXPECT_EQ(stage_1_id(one), stage_1_id(two));
  two[16] = std::byte{9};
  EXPECT_NE(stage_1_id(one), stage_1_id(two));
}

}  // namespace
}  // namespace magnetar
