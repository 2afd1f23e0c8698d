// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/route_follower.h"

#include <set>

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/errno.h>
#include <sys/socket.h>

#include "drivers/net/os_error.h"
#include "drivers/net/route_mirror.h"
#include "drivers/net/route_query.h"
#include "drivers/net/rtnl.h"

namespace magnetar {
namespace {

constexpr int kEventBufferBytes = 32 << 20;  // a BGP feed of 100,000 routes is about half of it
constexpr int kEventsAtOnce = 4096;          // process() returns even under a storm

bool join_groups(nl_sock* socket) {
  for (const int group : {RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE,
                          RTNLGRP_IPV6_RULE, RTNLGRP_NEIGH}) {
    if (nl_socket_add_membership(socket, group) < 0) return false;
  }
  return true;
}

}  // namespace

struct RouteFollower::Impl {
  Impl(int interface_index, Fib& table, NlSocket from, RouteQuery to)
      : index(interface_index),
        fib(table),
        mirror(interface_index),
        events(std::move(from)),
        query(std::move(to)) {}

  bool list();
  void read_events();
  void tell_fib();

  int index;
  Fib& fib;
  RouteMirror mirror;
  NlSocket events;
  RouteQuery query;
  std::set<IpAddr> stale;
  unsigned lists = 0;
  bool want_list = false;
};

bool RouteFollower::Impl::list() {
  ++lists;
  want_list = false;
  mirror.begin_list();
  const auto apply = [this](nlmsghdr* message) { mirror.apply(message); };
  bool complete = true;
  for (const int type : {RTM_GETRULE, RTM_GETROUTE, RTM_GETNEIGH}) {
    // A list that is interrupted is given anew from its beginning: what repeats does no harm.
    complete = query.list(type, apply) && complete;
  }
  mirror.end_list();
  return complete;
}

void RouteFollower::Impl::read_events() {
  for (int i = 0; i < kEventsAtOnce; ++i) {
    const int result = nl_recvmsgs_default(events.get());
    if (result == -NLE_AGAIN) break;
    if (result < 0) want_list = true;  // ENOBUFS: the socket's buffer did not hold all of them
  }
  // What waits still is older than the list, or tells the same.
  if (want_list || mirror.wants_list()) want_list = !list();
}

void RouteFollower::Impl::tell_fib() {
  for (const auto& [prefix, hop] : mirror.take_routes()) {
    if (!hop)
      fib.erase_route(prefix);
    else if (!fib.set_route(prefix, *hop))
      static_cast<void>(
          fib.set_route(prefix, {}));  // the kernel forwards what we have no place for
  }
  for (const NeighbourNews& news : mirror.take_neighbours()) {
    static_cast<void>(fib.set_neighbour(news.ip, news.mac));
    if (news.mac && news.stale)
      stale.insert(news.ip);
    else
      stale.erase(news.ip);
  }
  fib.reap();
}

RouteFollower::RouteFollower() = default;
RouteFollower::~RouteFollower() = default;

Result<std::unique_ptr<RouteFollower>, DeviceError> RouteFollower::open(
    const std::string& interface, Fib& fib) {
  const unsigned index = if_nametoindex(interface.c_str());
  if (index == 0)
    return fail(
        DeviceError{"there is no interface " + interface + ": ip -br link lists those there are"});
  NlSocket events = open_rtnl();
  auto query = RouteQuery::open();
  if (!events || !query || !join_groups(events.get()))
    return fail(os_error("cannot open a netlink socket", errno));
  nl_socket_disable_seq_check(events.get());
  nl_socket_set_nonblocking(events.get());
  // The most that anybody may have is less than a feed takes, for who may not have more.
  const int size = kEventBufferBytes;
  if (setsockopt(nl_socket_get_fd(events.get()), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) !=
      0)
    nl_socket_set_buffer_size(events.get(), size, 0);

  std::unique_ptr<RouteFollower> follower(new RouteFollower);
  follower->impl_ =
      std::make_unique<Impl>(static_cast<int>(index), fib, std::move(events), std::move(*query));
  Impl& impl = *follower->impl_;
  nl_socket_modify_cb(
      impl.events.get(), NL_CB_VALID, NL_CB_CUSTOM,
      [](nl_msg* message, void* self) -> int {
        static_cast<Impl*>(self)->mirror.apply(nlmsg_hdr(message));
        return NL_OK;
      },
      &impl);
  if (!impl.list()) return fail(DeviceError{"cannot read the routes of " + interface});
  impl.tell_fib();
  return follower;
}

int RouteFollower::fd() const { return nl_socket_get_fd(impl_->events.get()); }
unsigned RouteFollower::lists() const { return impl_->lists; }

void RouteFollower::process() {
  impl_->read_events();
  impl_->tell_fib();
}

void RouteFollower::check_neighbours() {
  for (const IpAddr& ip : impl_->stale)
    if (impl_->fib.take_used(ip)) impl_->query.use_neighbour(ip, impl_->index);
  impl_->fib.reap();
}

}  // namespace magnetar
