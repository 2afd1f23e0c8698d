// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/netlink.h"

#include <algorithm>

#include <gtest/gtest.h>
#include <poll.h>

#include "tests/unit/drivers/net/testbed.h"

namespace magnetar {
namespace {

using testbed::Cable;
using testbed::eventually;
using testbed::ip;
using testbed::prefix;
using testbed::run;

class Mirror : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = Netlink::open("near");
    ASSERT_TRUE(opened) << opened.error().what;
    netlink_ = std::move(*opened);
    netlink_->on_change([this] { ++changes_; });
  }
  // Waits for notifications until `reached`.
  bool follow(const std::function<bool()>& reached) {
    return eventually([&] {
      pollfd ready{netlink_->fd(), POLLIN, 0};
      poll(&ready, 1, 10);
      netlink_->process();
      return reached();
    });
  }
  std::optional<MacAddr> mac_of(const char* to) {
    const auto path = netlink_->path_to(ip(to));
    return path ? path->next_mac : std::nullopt;
  }

  Cable cable_;
  std::unique_ptr<Netlink> netlink_;
  int changes_ = 0;
};

TEST_F(Mirror, KnowsLinkAndAddresses) {
  EXPECT_EQ(netlink_->link().mac, Cable::kNear);
  EXPECT_TRUE(follow([&] { return netlink_->link().up; }));
  const int index = netlink_->link().index;
  ASSERT_TRUE(set_link(index, 1400, true));
  ASSERT_TRUE(add_address(index, prefix("169.254.3.4/16")));
  ASSERT_TRUE(add_address(index, prefix("10.99.0.1/24")));
  ASSERT_TRUE(add_address(index, prefix("10.99.0.1/24"))) << "again is no error";
  const std::vector expected{prefix("10.77.0.1/24"), prefix("10.99.0.1/24"), prefix("fd77::1/64"),
                             prefix("169.254.3.4/16")};
  EXPECT_TRUE(follow([&] {
    const auto& all = netlink_->addresses();
    return netlink_->link().mtu == 1400 && all.size() >= expected.size() &&
           std::equal(expected.begin(), expected.end(), all.begin());
  })) << "IPv4, IPv6, then the link-local ones";
  ASSERT_TRUE(remove_address(index, prefix("10.99.0.1/24")));
  EXPECT_TRUE(follow([&] {
    return std::ranges::find(netlink_->addresses(), prefix("10.99.0.1/24")) ==
           netlink_->addresses().end();
  }));
  EXPECT_GT(changes_, 0);

  const auto refused = add_address(999, prefix("10.0.0.1/8"));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("interface 999: cannot add address 10.0.0.1/8"),
            std::string::npos);
}

TEST_F(Mirror, LeavesTentativeAddressesOut) {
  run("echo 1 > /proc/sys/net/ipv6/conf/near/accept_dad; ip addr add fd99::1/64 dev near");
  auto fresh = Netlink::open("near");
  ASSERT_TRUE(fresh);
  EXPECT_EQ(std::ranges::find((*fresh)->addresses(), prefix("fd99::1/64")),
            (*fresh)->addresses().end());
}

TEST_F(Mirror, ResolvesANeighbour) {
  const auto first = netlink_->path_to(ip("10.77.0.2"));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->source, ip("10.77.0.1"));
  EXPECT_EQ(first->next_hop, ip("10.77.0.2"));
  EXPECT_FALSE(first->next_mac) << "asked for, not known yet";
  ASSERT_TRUE(cable_.answer_arp(ip("10.77.0.2")));
  EXPECT_TRUE(follow([&] { return changes_ > 0; }));
  EXPECT_EQ(mac_of("10.77.0.2"), Cable::kFar);
}

TEST_F(Mirror, FollowsANeighbourThatMovesAndFails) {
  run("ip neigh replace 10.77.0.7 lladdr 02:00:00:00:00:07 dev near nud permanent");
  EXPECT_TRUE(follow([&] { return mac_of("10.77.0.7").has_value(); }));
  run("ip neigh replace 10.77.0.7 lladdr 02:00:00:00:00:02 dev near nud reachable");
  EXPECT_TRUE(follow([&] { return mac_of("10.77.0.7") == Cable::kFar; }));
  const int before = changes_;
  run("ip neigh replace 10.77.0.7 lladdr 02:00:00:00:00:02 dev near nud stale");
  // The kernel cannot see that we use it, so it is made to check again: a probe goes out.
  netlink_->process();
  EXPECT_TRUE(follow([&] {
    return testbed::output("ip neigh show 10.77.0.7").find("STALE") == std::string::npos;
  }));
  EXPECT_EQ(changes_, before) << "still known under the same address: nothing changed for paths";
  run("ip neigh del 10.77.0.7 dev near");
  EXPECT_TRUE(follow([&] { return changes_ > before; }));
  EXPECT_FALSE(mac_of("10.77.0.7"));
}

TEST_F(Mirror, FindsThePathTheKernelWouldTake) {
  run("ip link add other type veth peer name other-far && ip link set other-far up && "
      "ip addr add 10.88.0.1/24 dev other && ip link set other up");
  run("ip addr add 10.77.0.5/24 dev near");
  run("ip route add 192.0.2.0/24 via 10.77.0.9 dev near src 10.77.0.5");
  run("ip route add 198.51.100.0/24 via 10.88.0.9 dev other");
  run("ip route add unreachable 203.0.113.0/24");
  run("ip route add 100.64.0.0/16 via inet6 fd77::9 dev near");
  run("ip -6 route add 2001:db8::/32 via fd77::9 dev near");
  run("ip rule add to 100.99.0.0/16 lookup 77 && ip route add default via 10.77.0.8 dev near table "
      "77");
  struct Case {
    const char* why;
    const char* to;
    const char* source;  // none: no path
    const char* next_hop;
  };
  const Case cases[] = {
      {"on-link", "10.77.0.200", "10.77.0.1", "10.77.0.200"},
      {"through a gateway, source preferred by the route", "192.0.2.1", "10.77.0.5", "10.77.0.9"},
      {"IPv4 through an IPv6 gateway", "100.64.1.1", "10.77.0.1", "fd77::9"},
      {"IPv6 on-link", "fd77::2", "fd77::1", "fd77::2"},
      {"IPv6 through a gateway", "2001:db8::1", "fd77::1", "fd77::9"},
      {"by a rule and another table", "100.99.1.1", "10.77.0.1", "10.77.0.8"},
      {"out of another interface", "198.51.100.1", nullptr, nullptr},
      {"no route at all", "172.16.1.1", nullptr, nullptr},
      {"no route at all, IPv6", "2001:db9::1", nullptr, nullptr},
      {"unreachable by decree", "203.0.113.1", nullptr, nullptr},
      {"ourselves", "10.77.0.1", nullptr, nullptr},
      {"broadcast", "10.77.0.255", nullptr, nullptr},
  };
  for (const auto& [why, to, source, next_hop] : cases) {
    SCOPED_TRACE(why);
    const auto path = netlink_->path_to(ip(to));
    ASSERT_EQ(path.has_value(), source != nullptr);
    if (!path) continue;
    EXPECT_EQ(path->source, ip(source));
    EXPECT_EQ(path->next_hop, ip(next_hop));
  }
  run("ip link delete other && ip rule del lookup 77");
}

TEST_F(Mirror, ReadsAnewWhatItMissed) {
  // More notifications than the socket holds, none read meanwhile.
  run("for i in $(seq 1 20); do for j in $(seq 1 200); do "
      "echo neigh replace 10.77.$i.$j lladdr 02:00:00:00:00:07 dev near nud permanent; done; done"
      " | ip -batch -");
  run("ip neigh flush dev near nud permanent");
  run("ip addr add 10.77.9.1/24 dev near && ip neigh replace 10.77.0.3 lladdr 02:00:00:00:00:02 "
      "dev near nud permanent");
  EXPECT_TRUE(follow([&] { return mac_of("10.77.0.3") == Cable::kFar; }));
  EXPECT_FALSE(mac_of("10.77.0.200"));
  EXPECT_NE(std::ranges::find(netlink_->addresses(), prefix("10.77.9.1/24")),
            netlink_->addresses().end());
}

TEST(Netlink, SaysWhichInterfaceIsMissing) {
  const auto missing = Netlink::open("nosuch0");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().what.find("nosuch0"), std::string::npos);
}

}  // namespace
}  // namespace magnetar
