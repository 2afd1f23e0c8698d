// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/udp_sender.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <netinet/udp.h>
#include <rte_mbuf.h>

#include "dataplane/packet/meta.h"

namespace magnetar {
namespace {

std::size_t ip_size(const wire::OuterView& view) { return view.v4 ? 4 : 16; }

// In both families the source stands right before the destination.
bool same_way(const wire::OuterView& a, const wire::OuterView& b) {
  return a.v4 == b.v4 && a.destination_port == b.destination_port &&
         std::memcmp(a.source_ip, b.source_ip, 2 * ip_size(a)) == 0;
}

in6_addr mapped(const std::byte* ip, bool v4) {
  in6_addr to{};
  if (v4) {
    to.s6_addr[10] = to.s6_addr[11] = 0xff;
    std::memcpy(&to.s6_addr[12], ip, 4);
  } else {
    std::memcpy(&to, ip, sizeof(to));
  }
  return to;
}

template <typename Value>
cmsghdr* put(cmsghdr* at, msghdr& message, int level, int type, const Value& value) {
  at->cmsg_level = level;
  at->cmsg_type = type;
  at->cmsg_len = CMSG_LEN(sizeof(value));
  std::memcpy(CMSG_DATA(at), &value, sizeof(value));
  return CMSG_NXTHDR(&message, at);
}

std::size_t place_of(std::uint64_t key) {  // 64 of them
  return (key * 0x9e3779b97f4a7c15U) >> 58U;
}

// The socket is full. Not ENOBUFS, which a full table of neighbours says of one place: a stranger
// that has us answer to made-up places would keep us from sending to any.
bool comes_back(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

// What the kernel says when it is the cutting that it does not do.
bool is_about_segments(int error) { return error == EIO || error == EINVAL || error == EOPNOTSUPP; }

}  // namespace

std::uint16_t UdpSender::transmit(std::span<rte_mbuf*> packets) {
  std::size_t taken = 0;
  for (std::size_t at = 0; at < packets.size(); at += kBurst) {
    const auto burst = packets.subspan(at, std::min(kBurst, packets.size() - at));
    const std::uint16_t sent = transmit_burst(burst);
    const auto front = packets.begin() + static_cast<std::ptrdiff_t>(taken);
    std::rotate(front, burst.begin(), burst.begin() + sent);
    taken += sent;
  }
  return static_cast<std::uint16_t>(taken);
}

std::uint16_t UdpSender::transmit_burst(std::span<rte_mbuf*> burst) {
  sent_.fill(false);
  const std::size_t count = form_trains(burst);
  for (std::size_t at = 0; at < count;) {
    const Outcome outcome = send_trains(count, at);
    if (outcome == Outcome::kLater) break;
    if (outcome == Outcome::kRefused) {
      if (trains_[at].frames > 1 && is_about_segments(errno) && send_singly(at) == Outcome::kLater)
        break;
      ++at;
    }
  }
  std::array<rte_mbuf*, kBurst> gone;
  std::array<rte_mbuf*, kBurst> kept;
  std::size_t gone_count = 0;
  std::size_t kept_count = 0;
  for (std::size_t i = 0; i < burst.size(); ++i)
    (sent_[i] ? gone[gone_count++] : kept[kept_count++]) = burst[i];
  rte_pktmbuf_free_bulk(gone.data(), static_cast<unsigned>(gone_count));
  std::copy_n(kept.begin(), kept_count, burst.begin() + static_cast<std::ptrdiff_t>(gone_count));
  return static_cast<std::uint16_t>(gone_count);
}

// Only neighbours are joined, so nothing overtakes.
std::size_t UdpSender::form_trains(std::span<rte_mbuf*> burst) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < burst.size(); ++i) {
    wire::OuterView& view = views_[i];
    if (wire::parse_outer(view_of(*burst[i]), view) != Verdict::kForward) continue;
    payloads_[i] = {data_of(*burst[i]) + view.payload_offset, view.payload_length};
    if (count > 0 && joins(trains_[count - 1], i - 1, i)) {
      Train& train = trains_[count - 1];
      ++train.frames;
      train.bytes += view.payload_length;
      train.closed = view.payload_length < train.size;
      continue;
    }
    Train& train = trains_[count++];
    train.first = static_cast<std::uint8_t>(i);
    train.frames = 1;
    train.size = view.payload_length;
    train.bytes = view.payload_length;
    train.to = view.destination_key();
    train.closed = !segments_ || train.size == 0 || goes_singly(train.to);
  }
  for (std::size_t train = 0; train < count; ++train) address(train);
  return count;
}

bool UdpSender::joins(const Train& train, std::size_t before, std::size_t frame) const {
  const wire::OuterView& view = views_[frame];
  return !train.closed && std::size_t{train.first} + train.frames == frame &&
         view.payload_length <= train.size && view.payload_length > 0 &&
         train.bytes + view.payload_length <= kMostBytes && same_way(views_[before], view);
}

// The message of one train. The kernel chooses none of the addresses: peers know us by them.
void UdpSender::address(std::size_t index) {
  const Train& train = trains_[index];
  const wire::OuterView& view = views_[train.first];
  sockaddr_in6& to = addresses_[index];
  to = {};
  to.sin6_family = AF_INET6;
  to.sin6_port = htons(view.destination_port);
  to.sin6_addr = mapped(view.destination_ip, view.v4);

  msghdr& message = messages_[index].msg_hdr;
  message = {};
  message.msg_name = &to;
  message.msg_namelen = sizeof(to);
  message.msg_iov = &payloads_[train.first];
  message.msg_iovlen = train.frames;
  message.msg_control = controls_[index].bytes.data();
  message.msg_controllen = kControl;
  controls_[index] = {};
  const in6_pktinfo from{mapped(view.source_ip, view.v4), 0};
  cmsghdr* next = put(CMSG_FIRSTHDR(&message), message, IPPROTO_IPV6, IPV6_PKTINFO, from);
  if (train.frames > 1)
    put(next, message, SOL_UDP, UDP_SEGMENT, train.size);
  else
    message.msg_controllen = CMSG_SPACE(sizeof(from));
}

// From train `at` on, which it moves past what was sent.
UdpSender::Outcome UdpSender::send_trains(std::size_t count, std::size_t& at) {
  const int sent =
      sendmmsg(fd_, &messages_[at], static_cast<unsigned>(count - at), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno == EINTR) return Outcome::kSent;
    return comes_back(errno) ? Outcome::kLater : Outcome::kRefused;
  }
  for (int i = 0; i < sent; ++i, ++at)
    std::fill_n(sent_.begin() + trains_[at].first, trains_[at].frames, true);
  return Outcome::kSent;
}

// The frames of a train that the kernel did not cut. It is remembered only if they go this way, as
// the kernel has the same word for a source address that is no longer ours.
UdpSender::Outcome UdpSender::send_singly(std::size_t index) {
  const Train& train = trains_[index];
  msghdr message = messages_[index].msg_hdr;
  message.msg_iovlen = 1;
  message.msg_controllen = CMSG_SPACE(sizeof(in6_pktinfo));
  for (std::size_t i = train.first; i < std::size_t{train.first} + train.frames; ++i) {
    message.msg_iov = &payloads_[i];
    if (sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
      return comes_back(errno) ? Outcome::kLater : Outcome::kRefused;
    sent_[i] = true;
    singly_[place_of(train.to)] = train.to;
  }
  return Outcome::kSent;
}

bool UdpSender::goes_singly(std::uint64_t to) const { return singly_[place_of(to)] == to; }

}  // namespace magnetar
