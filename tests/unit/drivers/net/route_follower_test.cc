// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/route_follower.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include "tests/unit/drivers/net/testbed.h"

namespace magnetar {
namespace {

using testbed::Cable;
using testbed::eventually;
using testbed::ip;
using testbed::run;
using Way = Fib::Way;

constexpr MacAddr kSeven{std::byte{2}, {}, {}, {}, {}, std::byte{7}};

class Follower : public testing::Test {
 protected:
  void SetUp() override {
    run("ip neigh replace 10.77.0.7 lladdr 02:00:00:00:00:07 dev near nud permanent");
    run("ip neigh replace 10.77.0.2 lladdr 02:00:00:00:00:02 dev near nud permanent");
    run("ip neigh replace fd77::7 lladdr 02:00:00:00:00:07 dev near nud permanent");
    run("ip neigh replace fd77::2 lladdr 02:00:00:00:00:02 dev near nud permanent");
    auto opened = RouteFollower::open("near", fib_);
    ASSERT_TRUE(opened) << opened.error().what;
    follower_ = std::move(*opened);
  }
  bool follow(const std::function<bool()>& reached) {
    return eventually([&] {
      pollfd ready{follower_->fd(), POLLIN, 0};
      poll(&ready, 1, 10);
      follower_->process();
      return reached();
    });
  }
  Fib::Found find(const char* to) {
    const IpAddr addr = ip(to);
    return fib_.find(addr.network_bytes().data(), addr.is_v4());
  }
  Way way(const char* to) { return find(to).way; }
  bool goes_to(const char* to, const MacAddr& mac) {
    return way(to) == Way::kNeighbour && find(to).mac == mac;
  }

  Cable cable_;
  Grace grace_{1};
  Fib fib_{grace_};
  std::unique_ptr<RouteFollower> follower_;
};

TEST_F(Follower, BeginsWithWhatTheKernelHas) {
  EXPECT_TRUE(goes_to("10.77.0.2", Cable::kFar));
  EXPECT_TRUE(goes_to("fd77::2", Cable::kFar));
  EXPECT_EQ(way("10.77.0.9"), Way::kUnresolved) << "on the link, and nobody knows it";
  EXPECT_EQ(way("10.77.0.1"), Way::kKernel) << "the interface's own";
  EXPECT_EQ(way("fd77::1"), Way::kKernel);
  EXPECT_EQ(way("10.77.0.255"), Way::kKernel) << "broadcast";
  EXPECT_EQ(way("192.0.2.1"), Way::kNoRoute);
}

// Each row of what an operator, or BIRD, may write.
TEST_F(Follower, RoutesGoWhereTheKernelSendsThem) {
  run("ip link add other type veth peer name other-far && ip link set other-far up && "
      "ip addr add 10.88.0.1/24 dev other && ip link set other up");
  run("ip route add 192.0.2.0/24 via 10.77.0.7");
  run("ip route add 192.0.2.128/25 via 10.77.0.2 metric 50");
  run("ip route add 192.0.2.128/25 via 10.77.0.7 metric 60");
  run("ip route add 198.51.100.0/24 via 10.88.0.9 dev other");
  run("ip route add unreachable 203.0.112.0/24");
  run("ip route add 100.64.0.0/16 via inet6 fd77::7 dev near");
  run("ip -6 route add 2001:db8::/32 via fd77::7 dev near");
  run("ip route add 100.70.0.0/16 nexthop via 10.77.0.7 nexthop via 10.88.0.9");
  run("ip route add 100.71.0.0/16 nexthop via 10.88.0.9 nexthop via 10.77.0.7");
  run("ip route add 100.72.0.0/16 via 10.77.0.7 table 77");
  run("ip route add 192.0.2.64/26 via 10.77.0.2 table 77 && ip rule add lookup 77 priority 100");
  run("ip route add 100.73.0.0/16 via 10.77.0.7 table 78 && "
      "ip rule add from 10.0.0.1 lookup 78 priority 101");
  EXPECT_TRUE(follow([&] { return goes_to("100.72.0.1", kSeven); })) << "of a rule's table";
  EXPECT_TRUE(goes_to("192.0.2.1", kSeven));
  EXPECT_TRUE(goes_to("192.0.2.200", Cable::kFar)) << "the lower metric";
  EXPECT_TRUE(goes_to("192.0.2.65", Cable::kFar)) << "the rule's table is asked before main";
  EXPECT_EQ(way("198.51.100.1"), Way::kKernel) << "out of another interface";
  EXPECT_EQ(way("203.0.112.1"), Way::kKernel) << "refused";
  EXPECT_TRUE(goes_to("100.64.1.1", kSeven)) << "IPv4 through an IPv6 gateway";
  EXPECT_TRUE(goes_to("2001:db8::1", kSeven));
  EXPECT_TRUE(goes_to("100.70.0.1", kSeven)) << "the first next hop";
  EXPECT_TRUE(goes_to("100.71.0.1", kSeven)) << "the first out of this interface";
  EXPECT_EQ(way("100.73.0.1"), Way::kNoRoute) << "a rule that chooses is not followed";

  run("ip route add default via 10.77.0.2 table 77");
  EXPECT_TRUE(follow([&] { return goes_to("192.0.2.200", Cable::kFar); }));
  EXPECT_TRUE(follow([&] { return goes_to("192.0.2.1", Cable::kFar); }))
      << "what an earlier table has a route for, no later one decides";
  EXPECT_EQ(way("10.77.0.1"), Way::kKernel);
  run("ip rule del lookup 77 && ip rule del lookup 78");
  EXPECT_TRUE(follow([&] { return goes_to("192.0.2.1", kSeven); }));
  run("ip route del 192.0.2.128/25 metric 50");
  EXPECT_TRUE(follow([&] { return goes_to("192.0.2.200", kSeven); })) << "the next metric";
  run("ip link delete other && ip route del unreachable 203.0.112.0/24");
  EXPECT_TRUE(follow([&] { return way("198.51.100.1") == Way::kNoRoute; }));
}

TEST_F(Follower, ANextHopMovesWithoutAGap) {
  for (const char* to : {"192.0.2.1", "2001:db8::1"}) {
    const std::string route = ip(to).is_v4()
                                  ? "ip route replace 192.0.2.0/24 via 10.77.0."
                                  : "ip -6 route replace 2001:db8::/32 dev near via fd77::";
    run(route + "7");
    ASSERT_TRUE(follow([&] { return goes_to(to, kSeven); })) << to;
    run(route + "2");
    ASSERT_TRUE(follow([&] {
      EXPECT_EQ(way(to), Way::kNeighbour) << "never without a way";
      return goes_to(to, Cable::kFar);
    })) << to;
  }
  run("ip neigh replace 10.77.0.2 lladdr 02:00:00:00:00:07 dev near nud permanent");
  EXPECT_TRUE(follow([&] { return goes_to("192.0.2.1", kSeven); })) << "the neighbour itself moves";
}

TEST_F(Follower, OneOfSeveralNextHopsGoes) {
  run("ip -6 route add 2001:db8::/32 nexthop via fd77::7 dev near nexthop via fd77::2 dev near");
  ASSERT_TRUE(follow([&] { return way("2001:db8::1") == Way::kNeighbour; }));
  run("ip -6 route del 2001:db8::/32 via fd77::7 dev near");
  EXPECT_TRUE(follow([&] { return goes_to("2001:db8::1", Cable::kFar); }));
  run("ip -6 route del 2001:db8::/32");
  EXPECT_TRUE(follow([&] { return way("2001:db8::1") == Way::kNoRoute; }));
}

// A neighbour that is sent to and has gone stale is asked about: the kernel does not see our use.
TEST_F(Follower, AStaleNeighbourInUseIsProbed) {
  run("ip neigh replace 10.77.0.8 lladdr 02:00:00:00:00:02 dev near nud reachable");
  run("ip neigh replace 10.77.0.8 lladdr 02:00:00:00:00:02 dev near nud stale");
  ASSERT_TRUE(follow([&] { return goes_to("10.77.0.8", Cable::kFar); }));
  follower_->check_neighbours();
  EXPECT_TRUE(follow([&] {
    follower_->check_neighbours();
    return testbed::output("ip neigh show 10.77.0.8").find("STALE") == std::string::npos;
  }));
}

// A BGP feed: 10,000 routes, or as many as MAGNETAR_ROUTES says, which is for measuring.
TEST_F(Follower, LoadsAFeed) {
  const char* const wanted = std::getenv("MAGNETAR_ROUTES");
  const unsigned count = wanted != nullptr ? static_cast<unsigned>(std::atoi(wanted)) : 10'000;
  const std::string path = testing::TempDir() + "/magnetar-routes-" + std::to_string(getpid());
  std::ofstream add(path);
  for (unsigned i = 0; i < count; ++i)
    add << "route replace " << 20 + i / 65536 << "." << i / 256 % 256 << "." << i % 256
        << ".0/24 via 10.77.0.7\n";
  add.close();
  const std::size_t before = fib_.routes();
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  run("ip -batch " + path + " &");
  Clock::duration busy{};
  const bool all = [&] {
    while (Clock::now() - begin < std::chrono::seconds(20)) {
      pollfd ready{follower_->fd(), POLLIN, 0};
      poll(&ready, 1, 10);
      const auto from = Clock::now();
      follower_->process();
      busy += Clock::now() - from;
      if (fib_.routes() >= before + count) return true;
    }
    return false;
  }();
  const auto took = Clock::now() - begin;
  EXPECT_TRUE(all) << fib_.routes() - before << " of " << count;
  EXPECT_TRUE(goes_to("20.0.0.1", kSeven));
  const auto ms = [](Clock::duration d) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
  };
  // The same as a list, as at the start of the gateway.
  const auto from = Clock::now();
  Fib fresh(grace_);
  auto again = RouteFollower::open("near", fresh);
  ASSERT_TRUE(again);
  EXPECT_GE(fresh.routes(), before + count);
  std::printf(
      "%u routes: with ip -batch %ld ms, of which ours %ld ms; listed in %ld ms; lists %u\n", count,
      ms(took), ms(busy), ms(Clock::now() - from), follower_->lists());
  std::remove(path.c_str());
}

// More notifications than the socket holds, none read meanwhile.
TEST_F(Follower, ListsAnewWhatItMissed) {
  run("for i in $(seq 0 255); do for j in $(seq 0 255); do echo route replace 20.$i.$j.0/24 via "
      "10.77.0.7; done; done | ip -batch -");
  run("for i in $(seq 0 255); do for j in $(seq 0 255); do echo route del 20.$i.$j.0/24; done; "
      "done "
      "| ip -batch -");
  run("ip route add 192.0.2.0/24 via 10.77.0.2");
  EXPECT_TRUE(follow([&] { return goes_to("192.0.2.1", Cable::kFar); }));
  EXPECT_EQ(way("20.3.3.3"), Way::kNoRoute);
  EXPECT_GT(follower_->lists(), 1U) << "nothing was missed, so nothing was tested";
}

}  // namespace
}  // namespace magnetar
