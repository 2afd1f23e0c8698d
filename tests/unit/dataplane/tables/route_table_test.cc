// SPDX-License-Identifier: Apache-2.0
#include "dataplane/tables/route_table.h"

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

}  // namespace
}  // namespace magnetar
