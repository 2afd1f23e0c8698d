// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/udp_receiver.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include <linux/if_ether.h>
#include <netinet/udp.h>
#include <rte_mbuf.h>

#include "drivers/net/outside_device.h"

namespace magnetar {
namespace {

// Where a payload begins, so that the longest header leaves the headroom that is promised.
constexpr std::size_t kPayloadAt = kPortHeadroom + wire::OuterTemplate::kMostSize;
constexpr std::byte kHops{64};
constexpr std::size_t kIpv4Header = wire::kEthernetSize + wire::kIpv4Size + wire::kUdpSize;

std::byte* payload_of(rte_mbuf& packet) {
  return static_cast<std::byte*>(packet.buf_addr) + kPayloadAt;
}

}  // namespace

UdpReceiver::UdpReceiver(int fd, std::uint16_t port, const MacAddr& mac, rte_mempool* pool,
                         std::atomic<std::uint64_t>& missed)
    : fd_(fd),
      port_(port),
      mac_(mac),
      store_(pool),
      missed_(missed),
      room_(std::min<std::size_t>(rte_pktmbuf_data_room_size(pool) - kPayloadAt - kPortTailroom,
                                  kLongest)),
      wholes_(std::make_unique_for_overwrite<std::byte[]>(kMessages * kLongest)) {
  for (std::size_t i = 0; i < kMessages; ++i) messages_[i].whole = &wholes_[i * kLongest];
}

UdpReceiver::~UdpReceiver() {
  for (const Message& message : messages_) rte_pktmbuf_free(message.packet);
}

std::uint16_t UdpReceiver::receive(std::span<rte_mbuf*> into) {
  if (next_ == read_) read();
  std::uint16_t count = 0;
  for (; next_ < read_; ++next_) {
    count = static_cast<std::uint16_t>(count + cut(messages_[next_], into.subspan(count)));
    if (!messages_[next_].done) break;
  }
  return count;
}

// One system call.
void UdpReceiver::read() {
  next_ = read_ = 0;
  std::size_t armed = 0;
  while (armed < ask_ && (armed_[armed] || arm(armed))) ++armed;
  if (armed == 0) return;
  const int got =
      recvmmsg(fd_, headers_.data(), static_cast<unsigned>(armed), MSG_DONTWAIT, nullptr);
  if (got <= 0) return;
  read_ = static_cast<std::size_t>(got);
  std::size_t datagrams = 0;
  for (std::size_t i = 0; i < read_; ++i) {
    accept(messages_[i], headers_[i]);
    armed_[i] = false;
    datagrams += messages_[i].size / std::max<std::size_t>(1, messages_[i].each) + 1;
  }
  // About a burst: more would wait here, and fill the caches.
  ask_ = std::clamp<std::size_t>(2 * kMessages * read_ / datagrams, 1, kMessages);
}

// False: there is no buffer.
bool UdpReceiver::arm(std::size_t index) {
  Message& message = messages_[index];
  if (message.packet == nullptr) {
    message.packet = store_.peek();
    if (message.packet == nullptr) return false;
    store_.take();
  }
  message.parts = {
      {{payload_of(*message.packet), room_}, {message.whole + room_, kLongest - room_}}};
  headers_[index].msg_hdr = {.msg_name = &message.from,
                             .msg_namelen = sizeof(message.from),
                             .msg_iov = message.parts.data(),
                             .msg_iovlen = message.parts.size(),
                             .msg_control = message.control.data(),
                             .msg_controllen = message.control.size(),
                             .msg_flags = 0};
  armed_[index] = true;
  return true;
}

void UdpReceiver::accept(Message& message, const mmsghdr& read) {
  msghdr header = read.msg_hdr;
  message.size = message.each = read.msg_len;
  message.at = 0;
  message.in_packet = std::min(message.size, room_);
  message.done = !describe(message, header);
  const bool fits = (header.msg_flags & MSG_TRUNC) == 0 && message.each <= room_;
  if (message.done || fits) return;
  miss(message);
}

// What is left of it.
void UdpReceiver::miss(Message& message) {
  const std::size_t left = message.size - message.at;
  missed_.fetch_add((left + message.each - 1) / message.each, std::memory_order_relaxed);
  message.done = true;
}

// What the kernel says of it. False: not enough, which does not happen.
bool UdpReceiver::describe(Message& message, msghdr& read) const {
  std::optional<in6_addr> to;
  for (cmsghdr* at = CMSG_FIRSTHDR(&read); at != nullptr; at = CMSG_NXTHDR(&read, at)) {
    if (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info;
      std::memcpy(&info, CMSG_DATA(at), sizeof(info));
      to = info.ipi6_addr;
    } else if (at->cmsg_level == SOL_UDP && at->cmsg_type == UDP_GRO) {
      int each = 0;
      std::memcpy(&each, CMSG_DATA(at), sizeof(each));
      if (each > 0) message.each = std::min(static_cast<std::size_t>(each), message.size);
    }
  }
  if (!to) return false;
  write_header(message, *to);
  return true;
}

// Without lengths and checksums. Nobody looks at the latter: the kernel has.
void UdpReceiver::write_header(Message& message, const in6_addr& to) const {
  const bool v4 = IN6_IS_ADDR_V4MAPPED(&to);
  std::byte* const frame = message.header.data();
  std::byte* const ip = frame + wire::kEthernetSize;
  message.header = {};
  std::memcpy(frame, mac_.data(), mac_.size());
  store_be_at<std::uint16_t>(frame + 12, v4 ? ETH_P_IP : ETH_P_IPV6);
  if (v4) {
    ip[0] = std::byte{0x45};
    ip[8] = kHops;
    ip[9] = std::byte{IPPROTO_UDP};
    std::memcpy(ip + 12, &message.from.sin6_addr.s6_addr[12], 4);
    std::memcpy(ip + 16, &to.s6_addr[12], 4);
  } else {
    ip[0] = std::byte{0x60};
    ip[6] = std::byte{IPPROTO_UDP};
    ip[7] = kHops;
    std::memcpy(ip + 8, &message.from.sin6_addr, 16);
    std::memcpy(ip + 24, &to, 16);
  }
  message.header_size = v4 ? kIpv4Header : message.header.size();
  std::byte* const udp = frame + message.header_size - wire::kUdpSize;
  std::memcpy(udp, &message.from.sin6_port, 2);
  store_be_at<std::uint16_t>(udp + 2, port_);
}

// As many as there is room for. The first one is where it is; the others are copied, once.
std::uint16_t UdpReceiver::cut(Message& message, std::span<rte_mbuf*> into) {
  std::uint16_t count = 0;
  const std::byte* const start = message.in_packet > 0 ? payload_of(*message.packet) : nullptr;
  while (!message.done && count < into.size()) {
    const std::size_t length = std::min(message.each, message.size - message.at);
    rte_mbuf* packet = message.at == 0 ? std::exchange(message.packet, nullptr) : store_.peek();
    if (packet == nullptr) {  // waiting for one, we would sleep on them
      miss(message);
      break;
    }
    if (message.at > 0) {
      store_.take();
      copy(message, start, length, payload_of(*packet));
    }
    finish(*packet, message, length);
    into[count++] = packet;
    message.at += length;
    message.done = message.at >= message.size;
  }
  if (!message.done && message.at > 0 && message.at < message.in_packet) {
    // Its first buffer is the caller's from now on.
    std::memcpy(message.whole + message.at, start + message.at, message.in_packet - message.at);
  }
  if (message.at > 0) message.in_packet = 0;
  return count;
}

// The next `length` bytes: from the first buffer as far as they are there, then from `whole`.
void UdpReceiver::copy(const Message& message, const std::byte* start, std::size_t length,
                       std::byte* to) {
  const std::size_t there =
      message.at < message.in_packet ? std::min(length, message.in_packet - message.at) : 0;
  if (there > 0) std::memcpy(to, start + message.at, there);
  if (there < length) std::memcpy(to + there, message.whole + message.at + there, length - there);
}

// Header in front, lengths into header and mbuf.
void UdpReceiver::finish(rte_mbuf& packet, const Message& message, std::size_t payload) {
  const std::size_t headers = message.header_size;
  std::byte* const frame = payload_of(packet) - headers;
  const auto udp = static_cast<std::uint16_t>(payload + wire::kUdpSize);
  std::memcpy(frame, message.header.data(), headers);
  store_be_at<std::uint16_t>(frame + headers - 4, udp);
  if (headers == kIpv4Header)
    store_be_at<std::uint16_t>(frame + wire::kEthernetSize + 2,
                               static_cast<std::uint16_t>(udp + wire::kIpv4Size));
  else
    store_be_at<std::uint16_t>(frame + wire::kEthernetSize + 4, udp);
  packet.data_off = static_cast<std::uint16_t>(kPayloadAt - headers);
  packet.data_len = static_cast<std::uint16_t>(headers + payload);
  packet.pkt_len = packet.data_len;
}

}  // namespace magnetar
