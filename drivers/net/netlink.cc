// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/netlink.h"

#include <algorithm>

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/errno.h>

#include "drivers/net/link_mirror.h"
#include "drivers/net/os_error.h"
#include "drivers/net/route_query.h"
#include "drivers/net/rtnl.h"

namespace magnetar {

struct Netlink::Impl {
  explicit Impl(int interface_index, NlSocket events_, RouteQuery query_)
      : mirror(interface_index), events(std::move(events_)), query(std::move(query_)) {}

  // Reads everything anew: at the start, and after the kernel dropped notifications.
  bool synchronise();
  void read_events();

  LinkMirror mirror;
  NlSocket events;
  RouteQuery query;
  std::function<void()> callback = [] {};
  bool changed = false;
};

namespace {

constexpr int kEventBufferBytes = 1 << 20;  // a burst of a few hundred changes between two polls
constexpr int kEventsAtOnce = 4096;         // process() returns even under a storm

bool join_groups(nl_sock* socket) {
  for (const int group :
       {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
        RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_NEIGH}) {
    if (nl_socket_add_membership(socket, group) < 0) return false;
  }
  return true;
}

}  // namespace

bool Netlink::Impl::synchronise() {
  mirror.forget();
  const auto apply = [this](nlmsghdr* message) { mirror.apply(message); };
  const bool complete = query.get_link(mirror.link().index, apply) &&
                        query.list(RTM_GETADDR, apply) && query.list(RTM_GETNEIGH, apply);
  changed = true;
  return complete;
}

void Netlink::Impl::read_events() {
  bool lost = false;
  for (int i = 0; i < kEventsAtOnce; ++i) {
    const int result = nl_recvmsgs_default(events.get());
    if (result == -NLE_AGAIN) break;
    if (result < 0) lost = true;  // ENOBUFS: the socket's buffer did not hold all of them
  }
  if (lost) synchronise();
}

Netlink::Netlink() = default;
Netlink::~Netlink() = default;

Result<std::unique_ptr<Netlink>, DeviceError> Netlink::open(const std::string& name) {
  const unsigned index = if_nametoindex(name.c_str());
  if (index == 0)
    return fail(
        DeviceError{"there is no interface " + name + ": ip -br link lists those there are"});
  NlSocket events = open_rtnl();
  auto query = RouteQuery::open();
  if (!events || !query || !join_groups(events.get()))
    return fail(os_error("cannot open a netlink socket", errno));
  nl_socket_disable_seq_check(events.get());
  nl_socket_set_nonblocking(events.get());
  nl_socket_set_buffer_size(events.get(), kEventBufferBytes, 0);

  std::unique_ptr<Netlink> netlink(new Netlink);
  netlink->impl_ =
      std::make_unique<Impl>(static_cast<int>(index), std::move(events), std::move(*query));
  Impl& impl = *netlink->impl_;
  nl_socket_modify_cb(
      impl.events.get(), NL_CB_VALID, NL_CB_CUSTOM,
      [](nl_msg* message, void* self) -> int {
        auto& to = *static_cast<Impl*>(self);
        to.changed |= to.mirror.apply(nlmsg_hdr(message));
        return NL_OK;
      },
      &impl);
  if (!impl.synchronise()) return fail(DeviceError{"cannot read the state of " + name});
  impl.changed = false;
  return netlink;
}

const LinkInfo& Netlink::link() const { return impl_->mirror.link(); }
const std::vector<Prefix>& Netlink::addresses() const { return impl_->mirror.addresses(); }
int Netlink::fd() const { return nl_socket_get_fd(impl_->events.get()); }
void Netlink::on_change(std::function<void()> callback) { impl_->callback = std::move(callback); }

void Netlink::process() {
  impl_->read_events();
  // The kernel does not see what we send, so it would never check these again by itself.
  for (const IpAddr& ip : impl_->mirror.take_stale_in_use())
    impl_->query.use_neighbour(ip, link().index);
  if (std::exchange(impl_->changed, false)) impl_->callback();
}

std::optional<Path> Netlink::path_to(const IpAddr& to) {
  const int index = link().index;
  const auto route = impl_->query.resolve(to, index);
  if (!route || route->interface_index != index || !route->source) return std::nullopt;
  // "On-link" may be the kernel's guess for a destination that has no route out of here.
  const auto covers = [&](const Prefix& own) { return own.contains(to); };
  if (!route->gateway && std::ranges::none_of(addresses(), covers) &&
      !impl_->query.has_route(to, index))
    return std::nullopt;

  Path path{*route->source, route->gateway.value_or(to), std::nullopt};
  const Neighbour& neighbour = impl_->mirror.use(path.next_hop);
  if (!neighbour.mac || neighbour.stale) impl_->query.use_neighbour(path.next_hop, index);
  path.next_mac = neighbour.mac;
  return path;
}

}  // namespace magnetar
