// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/route_mirror.h"

#include <algorithm>
#include <array>

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include "drivers/net/rtnl.h"

namespace magnetar {
namespace {

IpAddr any(bool v4) { return v4 ? IpAddr::v4(0) : IpAddr(); }

// The first next hop out of the interface; the kernel's when there is none.
RouteHop hop_of(const std::array<nlattr*, RTA_MAX + 1>& attributes, unsigned char type, int index) {
  if (type != RTN_UNICAST) return {};
  const auto made = [](const std::optional<IpAddr>& gateway) {
    return gateway ? RouteHop{RouteHop::Kind::kGateway, *gateway}
                   : RouteHop{RouteHop::Kind::kOnLink, {}};
  };
  const nlattr* several = attributes[RTA_MULTIPATH];
  if (several == nullptr) {
    const nlattr* out = attributes[RTA_OIF];
    if (out == nullptr || static_cast<int>(nla_get_u32(out)) != index) return {};
    return made(to_gateway(attributes[RTA_GATEWAY], attributes[RTA_VIA]));
  }
  const auto* hop = static_cast<rtnexthop*>(nla_data(several));
  int left = nla_len(several);
  while (RTNH_OK(hop, left)) {
    if (hop->rtnh_ifindex == index && (hop->rtnh_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) == 0) {
      std::array<nlattr*, RTA_MAX + 1> of{};
      nla_parse(of.data(), RTA_MAX, reinterpret_cast<nlattr*>(RTNH_DATA(hop)),  // NOLINT
                hop->rtnh_len - static_cast<int>(sizeof(rtnexthop)), nullptr);
      return made(to_gateway(of[RTA_GATEWAY], of[RTA_VIA]));
    }
    left -= RTNH_ALIGN(hop->rtnh_len);
    hop = RTNH_NEXT(hop);
  }
  return {};
}

}  // namespace

void RouteMirror::apply(nlmsghdr* message) {
  switch (message->nlmsg_type) {
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return apply_route(message);
    case RTM_NEWRULE:
    case RTM_DELRULE:
      return apply_rule(message);
    default:
      break;
  }
  const auto news = neighbour_news(message, index_);
  if (!news) return;
  not_listed_.erase(news->ip);
  if (news->mac)
    neighbours_[news->ip] = *news;
  else if (neighbours_.erase(news->ip) == 0)
    return;
  news_.push_back(*news);
}

void RouteMirror::apply_route(nlmsghdr* message) {
  std::array<nlattr*, RTA_MAX + 1> attributes{};
  if (nlmsg_parse(message, sizeof(rtmsg), attributes.data(), RTA_MAX, nullptr) < 0) return;
  const auto* header = static_cast<const rtmsg*>(nlmsg_data(message));
  const bool v4 = header->rtm_family == AF_INET;
  if ((!v4 && header->rtm_family != AF_INET6) || (header->rtm_flags & RTM_F_CLONED) != 0 ||
      header->rtm_src_len != 0 || header->rtm_tos != 0 || header->rtm_type == RTN_MULTICAST)
    return;
  const IpAddr to = to_ip(attributes[RTA_DST]).value_or(any(v4));
  if (to.is_v4() != v4 || header->rtm_dst_len > to.bits()) return;
  const Prefix prefix = Prefix{to, header->rtm_dst_len}.masked();
  const Table table =
      attributes[RTA_TABLE] != nullptr ? nla_get_u32(attributes[RTA_TABLE]) : header->rtm_table;
  const std::uint32_t metric =
      attributes[RTA_PRIORITY] != nullptr ? nla_get_u32(attributes[RTA_PRIORITY]) : 0;

  Routes& routes = tables_[table];
  if (message->nlmsg_type == RTM_NEWROUTE) {
    const RouteHop hop = hop_of(attributes, header->rtm_type, index_);
    // Of IPv6 the kernel tells when one of several next hops goes, but not which are left.
    const bool several = !v4 && attributes[RTA_MULTIPATH] != nullptr;
    const auto [at, fresh] = routes[prefix].try_emplace(metric, Candidate{hop, several});
    if (!fresh) {
      Candidate& there = at->second;
      const bool replaces = !listing_ && (message->nlmsg_flags & NLM_F_REPLACE) != 0;
      const bool same = there.hop == hop && !several;
      // One behind it counts only where the first is no way out of here.
      if (replaces || there.hop.kind == RouteHop::Kind::kKernel) there.hop = hop;
      there.several = several || (!replaces && (there.several || !same));
    }
  } else {
    const auto at = routes.find(prefix);
    if (at == routes.end()) return;
    const auto candidate = at->second.find(metric);
    if (candidate == at->second.end()) return;
    if (candidate->second.several) {
      wants_list_ = true;
      return;
    }
    at->second.erase(candidate);
    if (at->second.empty()) routes.erase(at);
  }
  changed(table, prefix);
}

// Only "all packets look here": a rule that chooses packets is not ours to follow.
void RouteMirror::apply_rule(nlmsghdr* message) {
  std::array<nlattr*, FRA_MAX + 1> attributes{};
  if (nlmsg_parse(message, sizeof(fib_rule_hdr), attributes.data(), FRA_MAX, nullptr) < 0) return;
  const auto* header = static_cast<const fib_rule_hdr*>(nlmsg_data(message));
  const bool v4 = header->family == AF_INET;
  if ((!v4 && header->family != AF_INET6) || header->action != FR_ACT_TO_TBL ||
      header->src_len != 0 || header->dst_len != 0 || header->tos != 0 ||
      (header->flags & FIB_RULE_INVERT) != 0)
    return;
  for (const int selector : {FRA_IIFNAME, FRA_OIFNAME, FRA_FWMARK, FRA_TUN_ID, FRA_UID_RANGE,
                             FRA_IP_PROTO, FRA_SPORT_RANGE, FRA_DPORT_RANGE})
    if (attributes[static_cast<std::size_t>(selector)] != nullptr) return;
  const Table table =
      attributes[FRA_TABLE] != nullptr ? nla_get_u32(attributes[FRA_TABLE]) : header->table;
  const std::uint32_t priority =
      attributes[FRA_PRIORITY] != nullptr ? nla_get_u32(attributes[FRA_PRIORITY]) : 0;
  const std::tuple rule{v4, priority, table};
  const bool differs =
      message->nlmsg_type == RTM_NEWRULE ? rules_.insert(rule).second : rules_.erase(rule) > 0;
  all_touched_ |= differs;
}

void RouteMirror::begin_list() {
  listing_ = true;
  wants_list_ = false;
  all_touched_ = true;
  tables_.clear();
  rules_.clear();
  not_listed_.clear();
  for (const auto& [ip, news] : neighbours_) not_listed_.insert(ip);
}

void RouteMirror::end_list() {
  listing_ = false;
  for (const IpAddr& ip : not_listed_) {
    neighbours_.erase(ip);
    news_.push_back({ip, std::nullopt, false});
  }
  not_listed_.clear();
}

// A route of the table that is asked last hides nothing but itself.
void RouteMirror::changed(Table table, const Prefix& prefix) {
  if (all_touched_) return;
  const std::vector<Table> tables = order(prefix.addr.is_v4());
  const auto at = std::ranges::find(tables, table);
  if (at == tables.end()) return;
  const auto has_routes = [this](Table later) {
    const auto found = tables_.find(later);
    return found != tables_.end() && !found->second.empty();
  };
  // Those of the local table are single addresses or all of them the kernel's.
  const bool hides = table != RT_TABLE_LOCAL && std::any_of(at + 1, tables.end(), has_routes);
  if (hides)
    all_touched_ = true;
  else
    touched_.push_back(prefix);
}

// The tables in the order in which the rules ask them, each once.
std::vector<RouteMirror::Table> RouteMirror::order(bool v4) const {
  std::vector<Table> tables;
  for (const auto& [of_v4, priority, table] : rules_)
    if (of_v4 == v4 && std::ranges::find(tables, table) == tables.end()) tables.push_back(table);
  return tables;
}

// The first table that has any route for an address decides, however long the prefix.
bool RouteMirror::is_hidden(const std::vector<Table>& before, const Prefix& prefix) const {
  return std::ranges::any_of(before, [&](Table table) {
    const auto found = tables_.find(table);
    if (found == tables_.end() || found->second.empty()) return false;
    for (unsigned length = 0; length <= prefix.length; ++length)
      if (found->second.contains(Prefix{prefix.addr, static_cast<std::uint8_t>(length)}.masked()))
        return true;
    return false;
  });
}

std::optional<RouteHop> RouteMirror::effective(const Prefix& prefix) const {
  std::vector<Table> before;
  for (const Table table : order(prefix.addr.is_v4())) {
    const auto found = tables_.find(table);
    if (found == tables_.end()) continue;
    const auto at = found->second.find(prefix);
    if (at != found->second.end())
      return is_hidden(before, prefix) ? std::nullopt
                                       : std::optional(at->second.begin()->second.hop);
    before.push_back(table);
  }
  return std::nullopt;
}

std::vector<RouteMirror::RouteChange> RouteMirror::take_routes() {
  if (std::exchange(all_touched_, false)) {
    touched_.clear();
    for (const auto& [prefix, hop] : told_) touched_.push_back(prefix);
    for (const auto& [table, routes] : tables_)
      for (const auto& [prefix, candidates] : routes) touched_.push_back(prefix);
  }
  std::ranges::sort(touched_);
  touched_.erase(std::unique(touched_.begin(), touched_.end()), touched_.end());
  std::vector<RouteChange> changes;
  for (const Prefix& prefix : std::exchange(touched_, {})) {
    const auto now = effective(prefix);
    const auto before = told_.find(prefix);
    if (now == (before == told_.end() ? std::nullopt : std::optional(before->second))) continue;
    if (now)
      told_[prefix] = *now;
    else
      told_.erase(before);
    changes.push_back({prefix, now});
  }
  return changes;
}

std::vector<NeighbourNews> RouteMirror::take_neighbours() { return std::exchange(news_, {}); }

}  // namespace magnetar
