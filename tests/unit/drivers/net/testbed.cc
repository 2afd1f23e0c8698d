// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/drivers/net/testbed.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <rte_mbuf.h>
#include <sched.h>
#include <sys/socket.h>

#include "drivers/net/port.h"

namespace magnetar::testbed {
namespace {

using std::chrono::steady_clock;
constexpr std::chrono::seconds kPatience{2};

void put16(Bytes& to, unsigned value) {
  to.push_back(static_cast<std::byte>(value >> 8U));
  to.push_back(static_cast<std::byte>(value));
}

Bytes ethernet(const MacAddr& to, const MacAddr& from, std::uint16_t type) {
  Bytes frame;
  frame.reserve(ETH_FRAME_LEN);
  append(frame, to);
  append(frame, from);
  put16(frame, type);
  return frame;
}

std::uint16_t checksum(ByteView bytes, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2)
    sum += load_be<std::uint16_t>(bytes.subspan(i).first<2>());
  if (bytes.size() % 2 != 0) sum += std::to_integer<std::uint32_t>(bytes.back()) << 8U;
  while (sum >> 16U) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(~sum);
}

}  // namespace

bool enter_namespace() {
  if (unshare(CLONE_NEWNET) != 0) return false;
  return std::system("ip link set lo up") == 0;  // NOLINT: a test's shell command
}

void run(const std::string& command) {
  ASSERT_EQ(std::system(command.c_str()), 0) << command;  // NOLINT: as above
}

std::string output(const std::string& command) {
  std::string text;
  std::FILE* pipe = popen(command.c_str(), "r");  // NOLINT: as above
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) text += static_cast<char>(c);
  pclose(pipe);
  return text;
}

rte_mempool* pool() {
  static rte_mempool* made =
      rte_pktmbuf_pool_create("test", 16383, 128, 128, packet_data_room(1500), 0);
  return made;
}

IpAddr ip(const char* text) { return IpAddr::parse(text).value(); }
Prefix prefix(const char* text) { return Prefix::parse(text).value(); }

Cable::Cable(unsigned queues) {
  const std::string n = std::to_string(queues);
  const std::string count = " numtxqueues " + n + " numrxqueues " + n;
  run("ip link add near address " + to_string(kNear) + count + " type veth peer name far address " +
      to_string(kFar) + count);
  run("echo 0 > /proc/sys/net/ipv6/conf/near/accept_dad; echo 1 > "
      "/proc/sys/net/ipv6/conf/far/disable_ipv6");
  run("ip addr add 10.77.0.1/24 dev near && ip addr add fd77::1/64 dev near nodad && ip link set "
      "near up && ip link set far up");
  far_ = UniqueFd(socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL)));
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(ETH_P_ALL);
  to.sll_ifindex = static_cast<int>(if_nametoindex("far"));
  EXPECT_EQ(bind(far_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);  // NOLINT
}

Cable::~Cable() { run("ip link delete near"); }

void Cable::send(ByteView frame) const {
  EXPECT_EQ(::send(far_.get(), frame.data(), frame.size(), 0), static_cast<ssize_t>(frame.size()));
}

std::optional<Bytes> Cable::expect(const std::function<bool(ByteView)>& wanted) const {
  const auto deadline = steady_clock::now() + kPatience;
  while (steady_clock::now() < deadline) {
    pollfd ready{far_.get(), POLLIN, 0};
    poll(&ready, 1, 50);
    Bytes frame(65536);
    const ssize_t got = recv(far_.get(), frame.data(), frame.size(), 0);
    if (got <= 0) continue;
    frame.resize(static_cast<std::size_t>(got));
    if (wanted(frame)) return frame;
  }
  return std::nullopt;
}

bool Cable::answer_arp(const IpAddr& who) const {
  const auto asks = [&](ByteView frame) {
    return frame.size() >= 42 && load_be<std::uint16_t>(frame.subspan<12, 2>()) == ETH_P_ARP &&
           load_be<std::uint16_t>(frame.subspan<20, 2>()) == 1 &&
           std::ranges::equal(frame.subspan(38, 4), who.network_bytes());
  };
  const auto request = expect(asks);
  if (!request) return false;
  Bytes reply = ethernet(kNear, kFar, ETH_P_ARP);
  append(reply, ByteView(*request).subspan(14, 6));
  put16(reply, 2);
  append(reply, kFar);
  append(reply, who.network_bytes());
  append(reply, ByteView(*request).subspan(22, 10));  // the asker's own addresses
  send(reply);
  return true;
}

Bytes udp_frame(const IpAddr& source, const IpAddr& destination, std::uint16_t destination_port,
                std::string_view payload, std::uint16_t source_port) {
  const auto udp_size = static_cast<std::uint16_t>(8 + payload.size());
  Bytes frame = ethernet(Cable::kNear, Cable::kFar, source.is_v4() ? ETH_P_IP : ETH_P_IPV6);
  if (source.is_v4()) {
    put16(frame, 0x4500);
    put16(frame, static_cast<std::uint16_t>(20 + udp_size));
    for (const unsigned word : {0U, 0U, 0x4011U, 0U}) put16(frame, word);
  } else {
    put16(frame, 0x6000);
    put16(frame, 0);
    put16(frame, udp_size);
    put16(frame, 0x1140);
  }
  append(frame, source.network_bytes());
  append(frame, destination.network_bytes());
  if (source.is_v4())
    store_be<std::uint16_t>(std::span(frame).subspan<24, 2>(),
                            checksum(ByteView(frame).subspan(14, 20)));
  put16(frame, source_port);
  put16(frame, destination_port);
  put16(frame, udp_size);
  put16(frame, 0);
  append(frame, as_bytes(payload));
  if (!source.is_v4())  // which has to have one; over IPv4, none is as good
    store_be<std::uint16_t>(
        std::span(frame).subspan<60, 2>(),
        checksum(ByteView(frame).subspan(22), std::uint32_t{udp_size} + IPPROTO_UDP));
  return frame;
}

wire::OuterView outer(ByteView frame) {
  wire::OuterView view;
  EXPECT_EQ(wire::parse_outer(frame, view), Verdict::kForward);
  return view;
}

bool same_datagram(ByteView a, ByteView b) {
  const wire::OuterView x = outer(a);
  const wire::OuterView y = outer(b);
  return x.source() == y.source() && x.source_port == y.source_port &&
         x.destination() == y.destination() && x.destination_port == y.destination_port &&
         std::ranges::equal(a.subspan(x.payload_offset, x.payload_length),
                            b.subspan(y.payload_offset, y.payload_length));
}

Bytes arp_request(const IpAddr& from, const IpAddr& target) {
  Bytes frame = ethernet({std::byte{0xff}, std::byte{0xff}, std::byte{0xff}, std::byte{0xff},
                          std::byte{0xff}, std::byte{0xff}},
                         Cable::kFar, ETH_P_ARP);
  for (const unsigned word : {1U, 0x0800U, 0x0604U, 1U}) put16(frame, word);
  append(frame, Cable::kFar);
  append(frame, from.network_bytes());
  append(frame, MacAddr{});
  append(frame, target.network_bytes());
  return frame;
}

bool is_arp_reply(ByteView frame) {
  return frame.size() >= 42 && load_be<std::uint16_t>(frame.subspan<12, 2>()) == ETH_P_ARP &&
         load_be<std::uint16_t>(frame.subspan<20, 2>()) == 2;
}

bool contains(ByteView frame, std::string_view payload) {
  const ByteView wanted = as_bytes(payload);
  return std::search(frame.begin(), frame.end(), wanted.begin(), wanted.end()) != frame.end();
}

bool eventually(const std::function<bool()>& attempt) {
  const auto deadline = steady_clock::now() + kPatience;
  while (steady_clock::now() < deadline) {
    if (attempt()) return true;
  }
  return false;
}

}  // namespace magnetar::testbed
