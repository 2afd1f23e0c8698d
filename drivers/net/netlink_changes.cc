// SPDX-License-Identifier: Apache-2.0
// The one-shot changes of netlink.h: each opens a socket of its own, asks, and waits for the
// answer.
#include <net/if.h>
#include <netlink/addr.h>
#include <netlink/errno.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet6.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

#include "drivers/net/netlink.h"
#include "drivers/net/os_error.h"
#include "drivers/net/rtnl.h"

namespace magnetar {
namespace {

using NlAddr = std::unique_ptr<nl_addr, NlFree<nl_addr_put>>;
using RtnlAddr = std::unique_ptr<rtnl_addr, NlFree<rtnl_addr_put>>;
using RtnlLink = std::unique_ptr<rtnl_link, NlFree<rtnl_link_put>>;
using RtnlRoute = std::unique_ptr<rtnl_route, NlFree<rtnl_route_put>>;

std::string name_of(int link_index) {
  char name[IF_NAMESIZE];
  if (if_indextoname(static_cast<unsigned>(link_index), name) != nullptr) return name;
  return "interface " + std::to_string(link_index);
}

Result<void, DeviceError> checked(int result, int link_index, const std::string& what) {
  if (result >= 0) return {};
  std::string text = name_of(link_index) + ": cannot " + what + ": " + nl_geterror(result);
  if (result == -NLE_PERM) text += ": run as root, or with CAP_NET_ADMIN";
  return fail(DeviceError{std::move(text)});
}

NlAddr to_nl(const IpAddr& ip, unsigned length) {
  const ByteView bytes = ip.network_bytes();
  NlAddr addr(nl_addr_build(family_of(ip), bytes.data(), bytes.size()));
  if (addr) nl_addr_set_prefixlen(addr.get(), static_cast<int>(length));
  return addr;
}

RtnlAddr to_rtnl(int link_index, const Prefix& address) {
  RtnlAddr object(rtnl_addr_alloc());
  const NlAddr local = to_nl(address.addr, address.length);
  if (!object || !local) return nullptr;
  rtnl_addr_set_ifindex(object.get(), link_index);
  if (rtnl_addr_set_local(object.get(), local.get()) < 0) return nullptr;
  return object;
}

// `set` says on the object what is to be different.
template <typename Set>
Result<void, DeviceError> change_link(int link_index, const std::string& what, const Set& set) {
  const NlSocket socket = open_rtnl();
  const RtnlLink which(rtnl_link_alloc());
  const RtnlLink change(rtnl_link_alloc());
  if (!socket || !which || !change) return checked(-NLE_NOMEM, link_index, what);
  rtnl_link_set_ifindex(which.get(), link_index);
  set(change.get());
  return checked(rtnl_link_change(socket.get(), which.get(), change.get(), 0), link_index, what);
}

}  // namespace

Result<void, DeviceError> add_address(int link_index, const Prefix& address) {
  const NlSocket socket = open_rtnl();
  const RtnlAddr object = to_rtnl(link_index, address);
  const int result = socket && object ? rtnl_addr_add(socket.get(), object.get(), 0) : -NLE_NOMEM;
  if (result == -NLE_EXIST) return {};  // it has the address already, which is what was asked for
  auto done = checked(result, link_index, "add address " + address.to_string());
  // A device of our own is made anew at each start, so that the default counts.
  if (result == -NLE_NOACCESS && !address.addr.is_v4())
    done.error().what +=
        ": IPv6 is switched off there; run sysctl net.ipv6.conf.default.disable_ipv6=0 (for an "
        "interface that stays, with its name instead of default)";
  return done;
}

Result<void, DeviceError> remove_address(int link_index, const Prefix& address) {
  const NlSocket socket = open_rtnl();
  const RtnlAddr object = to_rtnl(link_index, address);
  return checked(socket && object ? rtnl_addr_delete(socket.get(), object.get(), 0) : -NLE_NOMEM,
                 link_index, "remove address " + address.to_string());
}

Result<void, DeviceError> set_link(int link_index, unsigned mtu, bool up) {
  return change_link(link_index, "set mtu " + std::to_string(mtu) + (up ? " up" : " down"),
                     [&](rtnl_link* change) {
                       rtnl_link_set_mtu(change, mtu);
                       if (up)
                         rtnl_link_set_flags(change, IFF_UP);
                       else
                         rtnl_link_unset_flags(change, IFF_UP);
                     });
}

Result<void, DeviceError> turn_arp_off(int link_index) {
  return change_link(link_index, "turn ARP off",
                     [](rtnl_link* change) { rtnl_link_set_flags(change, IFF_NOARP); });
}

Result<void, DeviceError> keep_ipv6_silent(int link_index) {
  constexpr std::uint8_t kNone = 1;  // IN6_ADDR_GEN_MODE_NONE
  return change_link(link_index, "keep IPv6 silent",
                     [](rtnl_link* change) { rtnl_link_inet6_set_addr_gen_mode(change, kNone); });
}

Result<void, DeviceError> add_route(int link_index, const Prefix& to,
                                    const std::optional<IpAddr>& gateway) {
  const std::string what = "add route " + to.to_string();
  const NlSocket socket = open_rtnl();
  const RtnlRoute route(rtnl_route_alloc());
  const NlAddr destination = to_nl(to.masked().addr, to.length);
  rtnl_nexthop* hop = rtnl_route_nh_alloc();
  if (!socket || !route || !destination || hop == nullptr) {
    rtnl_route_nh_free(hop);
    return checked(-NLE_NOMEM, link_index, what);
  }
  rtnl_route_nh_set_ifindex(hop, link_index);
  if (gateway) {
    const NlAddr via = to_nl(*gateway, gateway->bits());
    rtnl_route_nh_set_gateway(hop, via.get());
  }
  rtnl_route_add_nexthop(route.get(), hop);  // which owns it from here
  rtnl_route_set_family(route.get(), family_of(to.addr));
  rtnl_route_set_dst(route.get(), destination.get());
  rtnl_route_set_scope(route.get(), gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK);
  rtnl_route_set_protocol(route.get(), RTPROT_STATIC);
  return checked(rtnl_route_add(socket.get(), route.get(), NLM_F_CREATE | NLM_F_EXCL), link_index,
                 what);
}

}  // namespace magnetar
