// SPDX-License-Identifier: Apache-2.0
#include "dataplane/tables/fib.h"

#include <gtest/gtest.h>

namespace magnetar {
namespace {

using Kind = RouteHop::Kind;
using Way = Fib::Way;

constexpr MacAddr kFirst{std::byte{2}, std::byte{0}, std::byte{0},
                         std::byte{0}, std::byte{0}, std::byte{1}};
constexpr MacAddr kSecond{std::byte{2}, std::byte{0}, std::byte{0},
                          std::byte{0}, std::byte{0}, std::byte{2}};

Prefix prefix(std::string_view text) { return Prefix::parse(text).value(); }
IpAddr ip(std::string_view text) { return IpAddr::parse(text).value(); }

class FibTest : public testing::Test {
 protected:
  Fib::Found find(std::string_view to) {
    const IpAddr addr = ip(to);
    return fib_.find(addr.network_bytes().data(), addr.is_v4());
  }
  Way way(std::string_view to) { return find(to).way; }

  Grace grace_{1};
  Fib fib_{grace_};
};

TEST_F(FibTest, TheWayOfAPacketFollowsRouteAndNeighbour) {
  EXPECT_EQ(way("10.0.0.5"), Way::kNoRoute);
  fib_.set_route(prefix("10.0.0.0/24"), {Kind::kOnLink, {}});
  EXPECT_EQ(way("10.0.0.5"), Way::kUnresolved) << "on the link, and nobody knows it yet";
  fib_.set_neighbour(ip("10.0.0.5"), kFirst);
  EXPECT_EQ(way("10.0.0.5"), Way::kNeighbour);
  EXPECT_EQ(find("10.0.0.5").mac, kFirst);
  EXPECT_EQ(way("10.0.0.6"), Way::kUnresolved) << "another neighbour is another";
  fib_.set_route(prefix("10.0.0.5/32"), {Kind::kKernel, {}});
  EXPECT_EQ(way("10.0.0.5"), Way::kKernel) << "a route beats what is on the link";
  fib_.erase_route(prefix("10.0.0.5/32"));
  fib_.set_neighbour(ip("10.0.0.5"), std::nullopt);
  EXPECT_EQ(way("10.0.0.5"), Way::kUnresolved);
  fib_.erase_route(prefix("10.0.0.0/24"));
  EXPECT_EQ(way("10.0.0.5"), Way::kNoRoute);
}

TEST_F(FibTest, OneNeighbourMovesAllRoutesThroughIt) {
  for (const char* to : {"10.1.0.0/16", "10.2.0.0/16", "fd00:1::/48"})
    fib_.set_route(prefix(to), {Kind::kGateway, ip("10.0.0.1")});
  EXPECT_EQ(way("10.2.3.4"), Way::kUnresolved);
  for (const MacAddr& mac : {kFirst, kSecond}) {
    fib_.set_neighbour(ip("10.0.0.1"), mac);
    for (const char* to : {"10.1.2.3", "10.2.3.4", "fd00:1::9"}) EXPECT_EQ(find(to).mac, mac) << to;
  }
}

TEST_F(FibTest, ARouteMovesToAnotherGateway) {
  fib_.set_neighbour(ip("10.0.0.1"), kFirst);
  fib_.set_neighbour(ip("10.0.0.2"), kSecond);
  fib_.set_route(prefix("0.0.0.0/0"), {Kind::kGateway, ip("10.0.0.1")});
  EXPECT_EQ(find("192.0.2.1").mac, kFirst);
  fib_.set_route(prefix("0.0.0.0/0"), {Kind::kGateway, ip("10.0.0.2")});
  EXPECT_EQ(find("192.0.2.1").mac, kSecond);
  EXPECT_EQ(fib_.routes(), 1U);
}

// Only what packets went to is worth asking the kernel about.
TEST_F(FibTest, TellsWhichNeighboursAreUsed) {
  fib_.set_route(prefix("10.0.0.0/24"), {Kind::kOnLink, {}});
  fib_.set_neighbour(ip("10.0.0.5"), kFirst);
  EXPECT_FALSE(fib_.take_used(ip("10.0.0.5")));
  EXPECT_EQ(way("10.0.0.5"), Way::kNeighbour);
  EXPECT_TRUE(fib_.take_used(ip("10.0.0.5")));
  EXPECT_FALSE(fib_.take_used(ip("10.0.0.5"))) << "not since";
}

// Places of next hops are given back: more come and go than there are at once.
TEST_F(FibTest, NextHopsComeAndGo) {
  for (std::uint32_t i = 0; i < 200'000; ++i) {
    const IpAddr gateway = IpAddr::v4(0x0a000000 + i);
    ASSERT_TRUE(fib_.set_route(prefix("192.0.2.0/24"), {Kind::kGateway, gateway}));
    ASSERT_TRUE(fib_.set_neighbour(gateway, kFirst));
    ASSERT_EQ(way("192.0.2.1"), Way::kNeighbour);
    ASSERT_TRUE(fib_.set_neighbour(gateway, std::nullopt));
    ASSERT_EQ(way("192.0.2.1"), Way::kUnresolved) << "nothing is left of who had the place before";
    fib_.reap();
  }
}

}  // namespace
}  // namespace magnetar
