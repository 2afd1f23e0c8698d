// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/route_query.h"

#include <array>

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/handlers.h>

namespace magnetar {
namespace {

int hand_over(nl_msg* message, void* on_message) {
  (*static_cast<const RouteQuery::OnMessage*>(on_message))(nlmsg_hdr(message));
  return NL_OK;
}

std::optional<RouteAnswer> parse_route(nlmsghdr* header) {
  std::array<nlattr*, RTA_MAX + 1> attributes{};
  if (header->nlmsg_type != RTM_NEWROUTE ||
      nlmsg_parse(header, sizeof(rtmsg), attributes.data(), RTA_MAX, nullptr) < 0)
    return std::nullopt;
  if (static_cast<const rtmsg*>(nlmsg_data(header))->rtm_type != RTN_UNICAST) return std::nullopt;
  RouteAnswer answer;
  if (attributes[RTA_OIF] != nullptr)
    answer.interface_index = static_cast<int>(nla_get_u32(attributes[RTA_OIF]));
  answer.source = to_ip(attributes[RTA_PREFSRC]);
  answer.gateway = to_gateway(attributes[RTA_GATEWAY], attributes[RTA_VIA]);
  return answer;
}

}  // namespace

std::optional<RouteQuery> RouteQuery::open() {
  NlSocket socket = open_rtnl();
  if (!socket) return std::nullopt;
  nl_socket_disable_auto_ack(socket.get());  // a route answer is its own acknowledgement
  return RouteQuery(std::move(socket));
}

bool RouteQuery::receive(const OnMessage& on_message) {
  const NlCallbacks callbacks(nl_cb_alloc(NL_CB_DEFAULT));
  if (!callbacks) return false;
  nl_cb_set(callbacks.get(), NL_CB_VALID, NL_CB_CUSTOM, hand_over,
            const_cast<OnMessage*>(&on_message));  // NOLINT: libnl's void*
  return nl_recvmsgs(socket_.get(), callbacks.get()) >= 0;
}

bool RouteQuery::ask(nl_msg* message, const OnMessage& on_message) {
  return message != nullptr && nl_send_auto(socket_.get(), message) >= 0 && receive(on_message);
}

NlMessage RouteQuery::route_message(const IpAddr& to, int interface_index, unsigned flags) {
  NlMessage message(nlmsg_alloc_simple(RTM_GETROUTE, 0));
  rtmsg request{};
  request.rtm_family = family_of(to);
  request.rtm_dst_len = static_cast<unsigned char>(to.bits());
  request.rtm_flags = flags;
  if (!message || nlmsg_append(message.get(), &request, sizeof(request), NLMSG_ALIGNTO) < 0 ||
      !put_ip(message.get(), RTA_DST, to) ||
      nla_put_u32(message.get(), RTA_OIF, static_cast<std::uint32_t>(interface_index)) < 0)
    return nullptr;
  return message;
}

std::optional<RouteAnswer> RouteQuery::resolve(const IpAddr& to, int interface_index) {
  std::optional<RouteAnswer> answer;
  const NlMessage message = route_message(to, interface_index, 0);
  if (!ask(message.get(), [&](nlmsghdr* header) { answer = parse_route(header); })) return {};
  return answer;
}

bool RouteQuery::has_route(const IpAddr& to, int interface_index) {
  bool found = false;
  const NlMessage message = route_message(to, interface_index, RTM_F_FIB_MATCH);
  return ask(message.get(),
             [&](nlmsghdr* header) { found = header->nlmsg_type == RTM_NEWROUTE; }) &&
         found;
}

void RouteQuery::use_neighbour(const IpAddr& neighbour, int interface_index) {
  const NlMessage message(
      nlmsg_alloc_simple(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK));
  ndmsg request{};
  request.ndm_family = family_of(neighbour);
  request.ndm_ifindex = interface_index;
  request.ndm_state = NUD_NONE;
  request.ndm_flags = NTF_USE;
  if (!message || nlmsg_append(message.get(), &request, sizeof(request), NLMSG_ALIGNTO) < 0 ||
      !put_ip(message.get(), NDA_DST, neighbour))
    return;
  if (nl_send_auto(socket_.get(), message.get()) >= 0) nl_wait_for_ack(socket_.get());
}

bool RouteQuery::list(int type, const OnMessage& on_message) {
  constexpr int kAttempts = 4;  // the kernel says when a list changed under our hands
  for (int i = 0; i < kAttempts; ++i) {
    rtgenmsg all{};  // of every family
    if (nl_send_simple(socket_.get(), type, NLM_F_DUMP, &all, sizeof(all)) < 0) return false;
    if (receive(on_message)) return true;
  }
  return false;
}

bool RouteQuery::get_link(int interface_index, const OnMessage& on_message) {
  NlMessage message(nlmsg_alloc_simple(RTM_GETLINK, 0));
  ifinfomsg request{};
  request.ifi_index = interface_index;
  if (!message || nlmsg_append(message.get(), &request, sizeof(request), NLMSG_ALIGNTO) < 0)
    return false;
  return ask(message.get(), on_message);
}

}  // namespace magnetar
