// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/link_mirror.h"

#include <algorithm>
#include <array>
#include <tuple>

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "drivers/net/rtnl.h"

namespace magnetar {
namespace {

constexpr unsigned kKnownStates =
    NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP;

template <typename Header, std::size_t kSize>
const Header* parse(nlmsghdr* message, std::array<nlattr*, kSize>& attributes) {
  if (nlmsg_parse(message, sizeof(Header), attributes.data(), static_cast<int>(kSize) - 1,
                  nullptr) < 0)
    return nullptr;
  return static_cast<const Header*>(nlmsg_data(message));
}

// IPv4 before IPv6, link-local ones last; otherwise in the kernel's order (primary before
// secondary).
bool comes_before(const Prefix& a, const Prefix& b) {
  const auto rank = [](const Prefix& p) {
    return std::tuple(p.addr.is_link_local(), !p.addr.is_v4());
  };
  return rank(a) < rank(b);
}

}  // namespace

std::optional<NeighbourNews> neighbour_news(nlmsghdr* message, int interface_index) {
  if (message->nlmsg_type != RTM_NEWNEIGH && message->nlmsg_type != RTM_DELNEIGH)
    return std::nullopt;
  std::array<nlattr*, NDA_MAX + 1> attributes{};
  const auto* header = parse<ndmsg>(message, attributes);
  if (header == nullptr || header->ndm_ifindex != interface_index ||
      (header->ndm_family != AF_INET && header->ndm_family != AF_INET6))
    return std::nullopt;
  const auto ip = to_ip(attributes[NDA_DST]);
  if (!ip) return std::nullopt;
  const bool known = message->nlmsg_type == RTM_NEWNEIGH && (header->ndm_state & kKnownStates) != 0;
  return NeighbourNews{*ip, known ? to_mac(attributes[NDA_LLADDR]) : std::nullopt,
                       (header->ndm_state & NUD_STALE) != 0};
}

bool LinkMirror::apply(nlmsghdr* message) {
  switch (message->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return apply_link(message);
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return apply_address(message);
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      return apply_neighbour(message);
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return concerns_routing(message);
    case RTM_NEWRULE:
    case RTM_DELRULE:
      return true;
    default:
      return false;
  }
}

void LinkMirror::forget() {
  addresses_.clear();
  for (auto& [ip, neighbour] : neighbours_) neighbour.mac.reset();
  std::erase_if(neighbours_, [](const auto& entry) { return !entry.second.in_use; });
}

bool LinkMirror::apply_link(nlmsghdr* message) {
  std::array<nlattr*, IFLA_MAX + 1> attributes{};
  const auto* header = parse<ifinfomsg>(message, attributes);
  if (header == nullptr || header->ifi_index != link_.index || header->ifi_family != AF_UNSPEC)
    return false;
  LinkInfo next = link_;
  constexpr unsigned kWorking = IFF_UP | IFF_RUNNING;
  next.up = message->nlmsg_type == RTM_NEWLINK && (header->ifi_flags & kWorking) == kWorking;
  next.mac = to_mac(attributes[IFLA_ADDRESS]).value_or(next.mac);
  if (attributes[IFLA_MTU] != nullptr) next.mtu = nla_get_u32(attributes[IFLA_MTU]);
  const bool changed = next.up != link_.up || next.mac != link_.mac || next.mtu != link_.mtu;
  link_ = next;
  return changed;
}

bool LinkMirror::apply_address(nlmsghdr* message) {
  std::array<nlattr*, IFA_MAX + 1> attributes{};
  const auto* header = parse<ifaddrmsg>(message, attributes);
  if (header == nullptr || static_cast<int>(header->ifa_index) != link_.index) return false;
  // On a point-to-point link IFA_ADDRESS is the other end's.
  const auto ip =
      to_ip(attributes[IFA_LOCAL] != nullptr ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS]);
  if (!ip || header->ifa_prefixlen > ip->bits()) return false;
  const unsigned flags =
      attributes[IFA_FLAGS] != nullptr ? nla_get_u32(attributes[IFA_FLAGS]) : header->ifa_flags;
  const bool usable =
      message->nlmsg_type == RTM_NEWADDR &&
      ((flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) == 0 || (flags & IFA_F_OPTIMISTIC) != 0);

  const Prefix prefix{*ip, header->ifa_prefixlen};
  const auto at = std::ranges::find(addresses_, prefix);
  if (usable == (at != addresses_.end())) return false;
  if (usable) {
    addresses_.push_back(prefix);
    std::ranges::stable_sort(addresses_, comes_before);
  } else {
    addresses_.erase(at);
  }
  return true;
}

bool LinkMirror::apply_neighbour(nlmsghdr* message) {
  const auto news = neighbour_news(message, link_.index);
  if (!news) return false;
  const auto at = neighbours_.find(news->ip);
  const std::optional<MacAddr> before = at == neighbours_.end() ? std::nullopt : at->second.mac;
  if (!news->mac) {
    if (at != neighbours_.end()) neighbours_.erase(at);
    return before.has_value();
  }
  Neighbour& neighbour = neighbours_[news->ip];
  neighbour.mac = news->mac;
  neighbour.stale = news->stale;
  if (neighbour.stale && neighbour.in_use) stale_in_use_.push_back(news->ip);
  return news->mac != before;
}

bool LinkMirror::concerns_routing(nlmsghdr* message) const {
  if (nlmsg_datalen(message) < static_cast<int>(sizeof(rtmsg))) return false;
  const auto* header = static_cast<const rtmsg*>(nlmsg_data(message));
  return (header->rtm_flags & RTM_F_CLONED) == 0;
}

Neighbour& LinkMirror::use(const IpAddr& ip) {
  Neighbour& neighbour = neighbours_[ip];
  neighbour.in_use = true;
  return neighbour;
}

std::vector<IpAddr> LinkMirror::take_stale_in_use() { return std::exchange(stale_in_use_, {}); }

}  // namespace magnetar
