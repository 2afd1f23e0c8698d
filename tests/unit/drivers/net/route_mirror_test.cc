// SPDX-License-Identifier: Apache-2.0
// Messages as the kernel writes them, without a kernel; route_follower_test.cc has one.
#include "drivers/net/route_mirror.h"

#include <gtest/gtest.h>
#include <linux/fib_rules.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "drivers/net/rtnl.h"

namespace magnetar {
namespace {

using Kind = RouteHop::Kind;

constexpr int kOurs = 7;
constexpr int kOther = 8;

Prefix prefix(std::string_view text) { return Prefix::parse(text).value(); }
IpAddr ip(std::string_view text) { return IpAddr::parse(text).value(); }

struct Route {
  std::string_view to;
  std::string_view gateway;  // empty: on link
  std::uint32_t table = RT_TABLE_MAIN;
  std::uint32_t metric = 0;
  int out = kOurs;
  int flags = 0;
};

class MirrorTest : public testing::Test {
 protected:
  MirrorTest() { list({}); }
  void tell_rule(std::uint32_t table, std::uint32_t priority, int type = RTM_NEWRULE) {
    const NlMessage message(nlmsg_alloc_simple(type, 0));
    fib_rule_hdr header{};
    header.family = AF_INET;
    header.action = FR_ACT_TO_TBL;
    nlmsg_append(message.get(), &header, sizeof(header), NLMSG_ALIGNTO);
    nla_put_u32(message.get(), FRA_TABLE, table);
    nla_put_u32(message.get(), FRA_PRIORITY, priority);
    mirror_.apply(nlmsg_hdr(message.get()));
  }
  void tell(const Route& route, int type = RTM_NEWROUTE) {
    const NlMessage message(nlmsg_alloc_simple(type, route.flags));
    const Prefix to = prefix(route.to);
    rtmsg header{};
    header.rtm_family = family_of(to.addr);
    header.rtm_dst_len = to.length;
    header.rtm_type = RTN_UNICAST;
    nlmsg_append(message.get(), &header, sizeof(header), NLMSG_ALIGNTO);
    put_ip(message.get(), RTA_DST, to.addr);
    nla_put_u32(message.get(), RTA_TABLE, route.table);
    nla_put_u32(message.get(), RTA_PRIORITY, route.metric);
    nla_put_u32(message.get(), RTA_OIF, static_cast<std::uint32_t>(route.out));
    if (!route.gateway.empty()) put_ip(message.get(), RTA_GATEWAY, ip(route.gateway));
    mirror_.apply(nlmsg_hdr(message.get()));
  }
  void tell_neighbour(std::string_view addr, std::uint16_t state, int index = kOurs) {
    const NlMessage message(nlmsg_alloc_simple(RTM_NEWNEIGH, 0));
    ndmsg header{};
    header.ndm_family = family_of(ip(addr));
    header.ndm_ifindex = index;
    header.ndm_state = state;
    nlmsg_append(message.get(), &header, sizeof(header), NLMSG_ALIGNTO);
    put_ip(message.get(), NDA_DST, ip(addr));
    const MacAddr mac{std::byte{2}};
    nla_put(message.get(), NDA_LLADDR, static_cast<int>(mac.size()), mac.data());
    mirror_.apply(nlmsg_hdr(message.get()));
  }
  // All there is, anew.
  void list(const std::vector<Route>& routes) {
    mirror_.begin_list();
    tell_rule(RT_TABLE_LOCAL, 0);
    tell_rule(RT_TABLE_MAIN, 32766);
    for (const Route& route : routes) tell(route);
    mirror_.end_list();
  }
  // The changes, as text.
  std::vector<std::string> changes() {
    std::vector<std::string> out;
    for (const auto& [to, hop] : mirror_.take_routes()) {
      std::string text = to.to_string() + " ";
      if (!hop)
        text += "gone";
      else if (hop->kind == Kind::kGateway)
        text += hop->gateway.to_string();
      else
        text += hop->kind == Kind::kOnLink ? "on link" : "kernel";
      out.push_back(std::move(text));
    }
    return out;
  }
  using Texts = std::vector<std::string>;

  RouteMirror mirror_{kOurs};
};

TEST_F(MirrorTest, TellsEachChangeOnce) {
  tell({"10.1.0.0/16", "10.0.0.1"});
  tell({"10.0.0.0/24", ""});
  tell({"10.2.0.0/16", "10.9.0.1", RT_TABLE_MAIN, 0, kOther});
  EXPECT_EQ(changes(),
            (Texts{"10.0.0.0/24 on link", "10.1.0.0/16 10.0.0.1", "10.2.0.0/16 kernel"}));
  tell({"10.1.0.0/16", "10.0.0.1", RT_TABLE_MAIN, 0, kOurs, NLM_F_REPLACE});
  EXPECT_EQ(changes(), Texts{}) << "replaced by the same";
  tell({"10.1.0.0/16", "10.0.0.2", RT_TABLE_MAIN, 0, kOurs, NLM_F_REPLACE});
  EXPECT_EQ(changes(), Texts{"10.1.0.0/16 10.0.0.2"}) << "never gone in between";
  tell({"10.1.0.0/16", "10.0.0.3"}, RTM_NEWROUTE);
  tell({"10.1.0.0/16", "10.0.0.2"}, RTM_DELROUTE);
  EXPECT_TRUE(mirror_.wants_list()) << "one of two went, and which is left was not told";
}

TEST_F(MirrorTest, AnEarlierTableHidesWhatItCovers) {
  tell({"10.1.2.0/24", "10.0.0.1"});
  EXPECT_EQ(changes(), Texts{"10.1.2.0/24 10.0.0.1"});
  tell({"10.1.0.0/16", "10.0.0.2", 100});
  EXPECT_EQ(changes(), Texts{}) << "no rule asks that table";
  tell_rule(100, 50);
  EXPECT_EQ(changes(), (Texts{"10.1.0.0/16 10.0.0.2", "10.1.2.0/24 gone"}))
      << "its shorter prefix decides, for it is asked first";
  tell_rule(100, 50, RTM_DELRULE);
  EXPECT_EQ(changes(), (Texts{"10.1.0.0/16 gone", "10.1.2.0/24 10.0.0.1"}));
}

TEST_F(MirrorTest, AListTellsOnlyWhatDiffers) {
  tell({"10.1.0.0/16", "10.0.0.1"});
  tell({"10.2.0.0/16", "10.0.0.1"});
  tell_neighbour("10.0.0.1", NUD_REACHABLE);
  tell_neighbour("10.0.0.2", NUD_STALE);
  tell_neighbour("10.0.0.3", NUD_REACHABLE, kOther);
  tell_neighbour("10.0.0.4", NUD_INCOMPLETE);
  changes();
  const auto news = mirror_.take_neighbours();
  ASSERT_EQ(news.size(), 2U) << "of another interface, or not known: no news";
  EXPECT_FALSE(news[0].stale);
  EXPECT_TRUE(news[1].stale);

  mirror_.begin_list();
  tell_rule(RT_TABLE_MAIN, 32766);
  tell({"10.2.0.0/16", "10.0.0.1"});
  tell({"10.3.0.0/16", "10.0.0.1"});
  tell_neighbour("10.0.0.1", NUD_REACHABLE);
  mirror_.end_list();
  EXPECT_EQ(changes(), (Texts{"10.1.0.0/16 gone", "10.3.0.0/16 10.0.0.1"}));
  const auto after = mirror_.take_neighbours();
  ASSERT_FALSE(after.empty());
  EXPECT_EQ(after.back().ip, ip("10.0.0.2"));
  EXPECT_FALSE(after.back().mac) << "not in the list: gone";
}

TEST_F(MirrorTest, MessagesCutShortChangeNothing) {
  const NlMessage message(nlmsg_alloc_simple(RTM_NEWROUTE, 0));
  mirror_.apply(nlmsg_hdr(message.get()));
  const NlMessage rule(nlmsg_alloc_simple(RTM_NEWRULE, 0));
  mirror_.apply(nlmsg_hdr(rule.get()));
  tell({"10.1.0.0/16", "fd00::1"});
  EXPECT_EQ(changes(), Texts{"10.1.0.0/16 fd00::1"}) << "a gateway of the other family is fine";
}

}  // namespace
}  // namespace magnetar
