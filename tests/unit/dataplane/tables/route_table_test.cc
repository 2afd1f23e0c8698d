// SPDX-License-Identifier: Apache-2.0
#include "dataplane/tables/route_table.h"

#include <array>
#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/tables/session_hot.h"

namespace magnetar {
namespace {

// A full table has buckets behind buckets; the model is a map.
TEST(RouteTable, AFullTableFindsWhatWasSetAndNothingElse) {
  constexpr std::uint32_t kCapacity = 4096;
  Grace grace(1);
  RouteTable routes(kCapacity, grace);
  std::vector<SessionHot> sessions(8);
  std::map<IpAddr, SessionHot*> model;
  std::minstd_rand random(1);
  const auto some_addr = [&] {
    const auto n = static_cast<std::uint32_t>(random());
    if (n % 2 == 0) return IpAddr::v4(0x0a000000 + n % 0x4000);
    std::array<std::byte, 16> bytes{std::byte{0xfd}};
    store_be<std::uint32_t>(std::span(bytes).last<4>(), n % 0x4000);
    return IpAddr::v6(bytes);
  };
  for (int change = 0; change < 60'000; ++change) {
    const IpAddr addr = some_addr();
    if (random() % 4 == 0) {
      routes.erase({addr});
      model.erase(addr);
      routes.reap();  // no worker: every grace period has passed
    } else {
      SessionHot* session = &sessions[random() % sessions.size()];
      const bool fits = model.size() < kCapacity || model.contains(addr);
      ASSERT_EQ(routes.set({addr}, session), fits);
      if (fits) model[addr] = session;
    }
  }
  ASSERT_GT(model.size(), kCapacity / 2);
  for (int probe = 0; probe < 1000; ++probe) {
    std::array<RouteKey, RouteTable::kMaxBurst> keys;
    std::array<SessionHot*, RouteTable::kMaxBurst> found;
    std::array<SessionHot*, RouteTable::kMaxBurst> expected{};
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const IpAddr addr = some_addr();
      keys[i] = RouteKey::of(addr);
      EXPECT_EQ(keys[i].addr(), addr);
      EXPECT_EQ(keys[i], RouteKey::of(addr.network_bytes().data(), addr.is_v4()));
      if (const auto at = model.find(addr); at != model.end()) expected[i] = at->second;
    }
    routes.find(keys, found.data());
    ASSERT_EQ(found, expected);
  }
}

TEST(RouteTable, FindsManyAtOnceAndForgets) {
  Grace grace(1);
  RouteTable routes(128, grace);
  std::array<SessionHot, 3> sessions;
  for (std::uint32_t i = 0; i < 3; ++i)
    ASSERT_TRUE(routes.set({IpAddr::v4(0x0a000001 + i)}, &sessions[i]));
  std::array<RouteKey, 4> keys;
  for (std::uint32_t i = 0; i < 4; ++i) keys[i] = RouteKey::of(IpAddr::v4(0x0a000001 + i));
  std::array<SessionHot*, 4> found;
  routes.find(keys, found.data());
  EXPECT_EQ(found, (std::array<SessionHot*, 4>{&sessions[0], &sessions[1], &sessions[2], nullptr}));
  routes.erase({IpAddr::v4(0x0a000002)});
  ASSERT_TRUE(routes.set({IpAddr::v4(0x0a000003)}, &sessions[0]));
  routes.find(keys, found.data());
  EXPECT_EQ(found, (std::array<SessionHot*, 4>{&sessions[0], nullptr, &sessions[0], nullptr}));
}

TEST(RouteTable, APlaceIsGivenAwayAgainOnlyAfterTheGracePeriod) {
  Grace grace(1);
  grace.enter(0);
  RouteTable routes(64, grace);
  SessionHot session;
  std::uint32_t held = 0;
  while (routes.set({IpAddr::v4(0x0a000001 + held)}, &session)) ++held;
  ASSERT_GE(held, 64U);
  routes.erase({IpAddr::v4(0x0a000001)});
  routes.reap();
  EXPECT_FALSE(routes.set({IpAddr::v4(0x0b000001)}, &session)) << "a reader may still be there";
  grace.quiescent(0);
  routes.reap();
  EXPECT_TRUE(routes.set({IpAddr::v4(0x0b000001)}, &session));
  grace.leave(0);
}

}  // namespace
}  // namespace magnetar
