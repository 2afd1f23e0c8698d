// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <poll.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <sys/socket.h>

#include "dataplane/offload/vnet_header.h"
#include "dataplane/packet/meta.h"
#include "drivers/net/port.h"
#include "drivers/net/udp_sender.h"
#include "drivers/net/udp_socket.h"
#include "tests/unit/drivers/net/testbed.h"

namespace magnetar {
namespace {

using testbed::Cable;
using testbed::contains;
using testbed::eventually;
using testbed::ip;
using testbed::kPort;
using testbed::outer;
using testbed::same_datagram;
using testbed::udp_frame;

const char* const kKnown =
    "ip neigh replace 10.77.0.2 lladdr 02:00:00:00:00:02 dev near nud permanent && "
    "ip neigh replace 10.77.0.3 lladdr 02:00:00:00:00:02 dev near nud permanent && "
    "ip neigh replace fd77::2 lladdr 02:00:00:00:00:02 dev near nud permanent";

OutsidePortOptions near(std::uint16_t queues = 1) {
  return {.port = "near",
          .backend = OutsideBackend::kUdp,
          .listen_port = kPort,
          .mtu = 1500,
          .queues = queues,
          .workers = queues};
}

// A payload that tells itself from others and its bytes from each other.
std::string payload(std::size_t size, unsigned number) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 7 + number * 13 + i / 251);
  return text;
}

rte_mbuf* mbuf(ByteView frame) {
  rte_mbuf* packet = rte_pktmbuf_alloc(testbed::pool());
  std::memcpy(rte_pktmbuf_append(packet, static_cast<std::uint16_t>(frame.size())), frame.data(),
              frame.size());
  return packet;
}

std::vector<rte_mbuf*> mbufs(const std::vector<Bytes>& frames) {
  std::vector<rte_mbuf*> packets;
  for (const Bytes& frame : frames) packets.push_back(mbuf(frame));
  return packets;
}

Bytes to_far(std::string_view text, const char* to = "10.77.0.2", const char* from = "10.77.0.1") {
  return udp_frame(ip(from), ip(to), 5555, text, kPort);
}

// The payload of the next datagram out of near that goes to `port`.
Bytes next_payload(const Cable& cable, std::uint16_t port = 5555) {
  const auto frame = cable.expect([port](ByteView seen) {
    wire::OuterView view;
    return wire::parse_outer(seen, view) == Verdict::kForward && view.destination_port == port;
  });
  if (!frame) return {};
  const wire::OuterView view = outer(*frame);
  return to_vector(ByteView(*frame).subspan(view.payload_offset, view.payload_length));
}

Bytes joined(const std::vector<std::string>& texts) {
  Bytes all;
  for (const std::string& text : texts) append(all, as_bytes(text));
  return all;
}

std::uint64_t datagrams_read() {  // by all sockets of this namespace, what came as one counts once
  std::ifstream file("/proc/net/snmp");
  std::string line;
  std::uint64_t count = 0;
  while (std::getline(file, line))
    if (line.starts_with("Udp: ") && std::isdigit(line[5]) != 0)
      std::istringstream(line.substr(5)) >> count;
  return count;
}

// From far, datagrams to the Nebula port as the kernel carries them when they are many in one.
void send_train(std::size_t each, std::string_view all) {
  const UniqueFd fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  const int yes = 1;
  ASSERT_EQ(setsockopt(fd.get(), SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof(yes)), 0);
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(0x0800);
  to.sll_ifindex = static_cast<int>(if_nametoindex("far"));
  Bytes bytes(offload::VnetHeader::kSize);
  offload::write_vnet_header(bytes.data(), {.flags = offload::VnetHeader::kNeedsChecksum,
                                            .gso_type = offload::VnetHeader::kGsoUdp,
                                            .header_size = 42,
                                            .gso_size = static_cast<std::uint16_t>(each),
                                            .checksum_start = 34,
                                            .checksum_offset = 6});
  append(bytes, udp_frame(ip("10.77.0.2"), ip("10.77.0.1"), kPort, all));
  ASSERT_EQ(
      sendto(fd.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&to),  // NOLINT
             sizeof(to)),
      static_cast<ssize_t>(bytes.size()));
}

std::vector<Bytes> receive(PortQueue& queue, std::size_t count, std::size_t at_once = 64) {
  std::vector<Bytes> frames;
  eventually([&] {
    std::array<rte_mbuf*, 64> packets{};
    const std::uint16_t got = queue.receive(std::span(packets).first(at_once));
    for (rte_mbuf* packet : std::span(packets).first(got)) {
      EXPECT_GE(rte_pktmbuf_headroom(packet), 128);
      EXPECT_GE(rte_pktmbuf_tailroom(packet), 64);
      frames.push_back(to_vector(view_of(*packet)));
      // Who has a packet may write into all of its buffer.
      std::memset(packet->buf_addr, 0xee, packet->buf_len);
      rte_pktmbuf_free(packet);
    }
    return frames.size() >= count;
  });
  return frames;
}

TEST(Udp, CutsWhatTheKernelCoalesced) {
  struct Case {
    const char* why;
    std::size_t each, count, last, at_once;
  };
  const Case cases[] = {
      {"of the full MTU, the last one shorter", 1472, 40, 17, 64},
      {"small ones: several in the first buffer, one over its end", 130, 60, 130, 64},
      {"read bit by bit, from the first buffer at first", 130, 60, 1, 7},
      {"read bit by bit, all but one behind the first buffer", 1472, 40, 1000, 3},
      {"two", 1000, 2, 999, 64},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    const Cable cable;
    auto port = OutsidePort::open(near(), testbed::pool());
    ASSERT_TRUE(port) << port.error().what;
    EXPECT_EQ((*port)->offloads(), "gso, gro");
    const auto queue = (*port)->queue_for_worker(0, 0);
    std::string all;
    std::vector<Bytes> expected;
    for (unsigned i = 0; i < c.count; ++i) {
      const std::string one = payload(i + 1 < c.count ? c.each : c.last, i);
      expected.push_back(udp_frame(ip("10.77.0.2"), ip("10.77.0.1"), kPort, one));
      all += one;
    }
    const std::uint64_t before = datagrams_read();
    send_train(c.each, all);
    const auto frames = receive(*queue, c.count, c.at_once);
    EXPECT_EQ(datagrams_read() - before, 1U) << "they came as one";
    ASSERT_EQ(frames.size(), c.count);
    for (std::size_t i = 0; i < c.count; ++i)
      EXPECT_TRUE(same_datagram(frames[i], expected[i])) << i;
  }
}

TEST(Udp, CountsWhatFoundNoBuffer) {
  const Cable cable;
  auto port = OutsidePort::open(near(), testbed::pool());
  ASSERT_TRUE(port) << port.error().what;
  const auto queue = (*port)->queue_for_worker(0, 0);
  std::array<rte_mbuf*, 64> packets{};
  EXPECT_EQ(queue->receive(packets), 0U);  // it has its buffers at hand now
  std::vector<rte_mbuf*> taken;
  while (rte_mbuf* packet = rte_pktmbuf_alloc(testbed::pool())) taken.push_back(packet);
  send_train(100, payload(6000, 1));
  std::uint16_t got = 0;
  EXPECT_TRUE(eventually([&] { return (got = queue->receive(packets)) > 0; }));
  EXPECT_LT(got, 60);
  EXPECT_EQ(got + (*port)->counters().rx_missed, 60U);
  rte_pktmbuf_free_bulk(packets.data(), got);
  rte_pktmbuf_free_bulk(taken.data(), static_cast<unsigned>(taken.size()));
}

TEST(Udp, SendsATrainAsOne) {
  const Cable cable;
  testbed::run(kKnown);
  auto port = OutsidePort::open(near(), testbed::pool());
  ASSERT_TRUE(port) << port.error().what;
  const auto queue = (*port)->queue_for_worker(0, 0);
  for (const char* to : {"10.77.0.2", "fd77::2"}) {
    SCOPED_TRACE(to);
    const char* const from = ip(to).is_v4() ? "10.77.0.1" : "fd77::1";
    const std::string longer = payload(1201, 9);
    const std::vector<std::string> texts = {payload(1200, 0), payload(1200, 1), payload(1200, 2),
                                            payload(300, 3),  payload(300, 4),  longer,
                                            payload(1201, 10)};
    std::vector<Bytes> frames;
    for (const auto& text : texts) frames.push_back(to_far(text, to, from));
    auto packets = mbufs(frames);
    ASSERT_EQ(queue->transmit(packets), texts.size());
    EXPECT_EQ(next_payload(cable), joined({texts[0], texts[1], texts[2], texts[3]}))
        << "a shorter one ends it";
    EXPECT_EQ(next_payload(cable), joined({texts[4]})) << "a longer one is not in it";
    EXPECT_EQ(next_payload(cable), joined({texts[5], texts[6]}));
  }
  // 64 of them, and 64 KiB.
  std::vector<Bytes> frames;
  for (unsigned i = 0; i < 64; ++i) frames.push_back(to_far(payload(1400, i)));
  auto packets = mbufs(frames);
  ASSERT_EQ(queue->transmit(packets), 64U);
  EXPECT_EQ(next_payload(cable).size(), 46U * 1400);
  EXPECT_EQ(next_payload(cable).size(), 18U * 1400);
}

TEST(Udp, KeepsTheOrderTowardsEachPlace) {
  const Cable cable;
  testbed::run(kKnown);
  auto port = OutsidePort::open(near(), testbed::pool());
  ASSERT_TRUE(port) << port.error().what;
  const auto queue = (*port)->queue_for_worker(0, 0);
  std::vector<Bytes> frames;
  for (unsigned i = 0; i < 10; ++i)
    frames.push_back(to_far(payload(100, i), i % 3 == 0 ? "10.77.0.3" : "10.77.0.2"));
  auto packets = mbufs(frames);
  ASSERT_EQ(queue->transmit(packets), 10U);
  Bytes to_two;
  Bytes to_three;
  for (std::size_t seen = 0; seen < 1000;) {
    const auto frame = cable.expect([](ByteView f) { return f.size() > 42 + 99; });
    ASSERT_TRUE(frame);
    const wire::OuterView view = outer(*frame);
    append(view.destination() == ip("10.77.0.3") ? to_three : to_two,
           ByteView(*frame).subspan(view.payload_offset, view.payload_length));
    seen += view.payload_length;
  }
  const auto numbered = [](std::initializer_list<unsigned> numbers) {
    std::vector<std::string> texts;
    for (const unsigned i : numbers) texts.push_back(payload(100, i));
    return joined(texts);
  };
  EXPECT_EQ(to_two, numbered({1, 2, 4, 5, 7, 8}));
  EXPECT_EQ(to_three, numbered({0, 3, 6, 9}));
}

TEST(Udp, WhatCannotBeSentDoesNotKeepTheOthers) {
  const Cable cable;
  testbed::run(kKnown);
  auto port = OutsidePort::open(near(), testbed::pool());
  ASSERT_TRUE(port) << port.error().what;
  const auto queue = (*port)->queue_for_worker(0, 0);
  const auto before = rte_mempool_avail_count(testbed::pool());
  auto packets = mbufs({
      to_far("first"),
      to_far("a source that is not ours", "10.77.0.2", "10.99.0.1"),
      to_far("a source that is not ours", "10.77.0.2", "10.99.0.1"),  // two: a train
      to_far(payload(1600, 1)),                                       // more than the MTU
      to_far("no route", "2001:db8::9", "fd77::1"),
      Bytes(60, std::byte{1}),  // no datagram at all
      to_far("last"),
  });
  const auto given = packets;
  EXPECT_EQ(queue->transmit(packets), 2U);
  EXPECT_TRUE(std::equal(packets.begin() + 2, packets.end(), given.begin() + 1))
      << "the others are behind those taken, as they were";
  rte_pktmbuf_free_bulk(packets.data() + 2, 5);
  EXPECT_EQ(rte_mempool_avail_count(testbed::pool()), before);
  EXPECT_EQ(next_payload(cable), joined({"first"}));
  EXPECT_EQ(next_payload(cable), joined({"last"}));
}

// As over IPsec, or on an interface without checksums: here it is the socket that has none.
TEST(Udp, SendsSinglyWhereTheKernelCutsNothing) {
  const Cable cable;
  testbed::run(kKnown);
  auto fd = open_udp_socket({.interface = "near", .port = kPort});
  ASSERT_TRUE(fd) << fd.error().what;
  UdpSender sender(fd->get(), true);
  const auto no_checksums = [&](int value) {
    ASSERT_EQ(setsockopt(fd->get(), SOL_SOCKET, SO_NO_CHECK, &value, sizeof(value)), 0);
  };
  const std::vector<Bytes> frames = {to_far("one 1"), to_far("one 2"), to_far("one 3")};
  const std::vector<Bytes> others = {to_far("two 1", "10.77.0.3"), to_far("two 2", "10.77.0.3")};
  no_checksums(1);
  auto packets = mbufs(frames);
  EXPECT_EQ(sender.transmit(packets), 3U);
  no_checksums(0);
  packets = mbufs(frames);
  EXPECT_EQ(sender.transmit(packets), 3U);
  for (int i = 0; i < 2; ++i)
    for (const char* text : {"one 1", "one 2", "one 3"})
      EXPECT_EQ(next_payload(cable), joined({text})) << "it was remembered";
  packets = mbufs(others);
  EXPECT_EQ(sender.transmit(packets), 2U);
  EXPECT_EQ(next_payload(cable), joined({"two 1", "two 2"})) << "of that place only";
}

TEST(Udp, TakesNoMoreThanTheKernelHasRoomFor) {
  const Cable cable;
  auto fd = open_udp_socket({.interface = "near", .port = kPort});
  ASSERT_TRUE(fd) << fd.error().what;
  const int least = 1;  // the kernel raises it to its minimum
  ASSERT_EQ(setsockopt(fd->get(), SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)), 0);
  UdpSender sender(fd->get(), false);
  std::vector<Bytes> frames;
  for (unsigned i = 0; i < 32; ++i) frames.push_back(to_far(payload(1400, i)));
  auto packets = mbufs(frames);
  // They wait for the neighbour.
  const std::uint16_t taken = sender.transmit(packets);
  EXPECT_GT(taken, 0);
  EXPECT_LT(taken, 32);
  for (std::size_t i = taken; i < packets.size(); ++i)
    EXPECT_TRUE(std::ranges::equal(view_of(*packets[i]), frames[i])) << "those behind, in order";
  rte_pktmbuf_free_bulk(packets.data() + taken, 32U - taken);
  ASSERT_TRUE(cable.answer_arp(ip("10.77.0.2")));
  for (unsigned i = 0; i < taken; ++i)
    EXPECT_EQ(next_payload(cable), joined({payload(1400, i)})) << "sent when it has answered";
}

TEST(Udp, ForgedIcmpChangesNothing) {
  const Cable cable;
  testbed::run(kKnown);
  auto port = OutsidePort::open(near(), testbed::pool());
  ASSERT_TRUE(port) << port.error().what;
  const auto queue = (*port)->queue_for_worker(0, 0);
  const auto whole_goes = [&] {
    std::vector<rte_mbuf*> packets = mbufs({to_far(payload(1472, 5))});
    if (queue->transmit(packets) != 1) return false;
    const auto frame = cable.expect([](ByteView f) { return f.size() == 1514; });
    return frame && (*frame)[20] == std::byte{0x40};  // don't fragment
  };
  ASSERT_TRUE(whole_goes());
  // "Fragmentation needed, MTU 600", with the header of what we sent.
  Bytes icmp = {std::byte{3}, std::byte{4}, {}, {}, {}, {}, std::byte{2}, std::byte{0x58}};
  append(icmp, ByteView(to_far(payload(1472, 5))).subspan(14, 28));
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < icmp.size(); i += 2)
    sum += load_be<std::uint16_t>(ByteView(icmp).subspan(i).first<2>());
  while (sum >> 16U) sum = (sum & 0xffffU) + (sum >> 16U);
  store_be<std::uint16_t>(std::span(icmp).subspan<2, 2>(), static_cast<std::uint16_t>(~sum));
  Bytes frame = udp_frame(ip("10.77.0.2"), ip("10.77.0.1"), 0, std::string(icmp.size() - 8, 0));
  std::ranges::copy(icmp, frame.begin() + 34);
  frame[23] = std::byte{1};  // ICMP; the header's sum is 16 larger for it
  store_be<std::uint16_t>(
      std::span(frame).subspan<24, 2>(),
      static_cast<std::uint16_t>(load_be<std::uint16_t>(ByteView(frame).subspan<24, 2>()) + 16));
  cable.send(frame);
  EXPECT_TRUE(eventually([] {
    return testbed::output("ip route get 10.77.0.2").find("mtu 600") != std::string::npos;
  })) << "the kernel believes it";
  EXPECT_TRUE(whole_goes());
}

TEST(Udp, CountsWhatItMissed) {
  const Cable cable;
  testbed::run("ip link set near mtu 9000 && ip link set far mtu 9000");
  auto port = OutsidePort::open(near(), testbed::pool());
  ASSERT_TRUE(port) << port.error().what;
  const auto queue = (*port)->queue_for_worker(0, 0);
  const auto before = udp_frame(ip("10.77.0.2"), ip("10.77.0.1"), kPort, payload(5000, 0));
  const auto fits = udp_frame(ip("10.77.0.2"), ip("10.77.0.1"), kPort, payload(1472, 1));
  cable.send(before);
  cable.send(fits);
  const auto frames = receive(*queue, 1);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_TRUE(same_datagram(frames[0], fits));
  EXPECT_EQ((*port)->counters().rx_missed, 1U) << "larger than a packet buffer";

  constexpr int kPlenty = 40000;
  int sent = 0;
  while ((*port)->counters().rx_missed == 1 && sent++ < kPlenty) cable.send(fits);
  EXPECT_LT(sent, kPlenty) << "the socket was full";
}

TEST(Udp, HasThePortForItself) {
  const Cable cable;
  testbed::run(kKnown);
  auto port = OutsidePort::open(near(2), testbed::pool());
  ASSERT_TRUE(port) << port.error().what;
  const auto other = OutsidePort::open(near(2), testbed::pool());
  ASSERT_FALSE(other) << "another gateway";
  EXPECT_NE(other.error().what.find("ss -ulpn"), std::string::npos) << other.error().what;
  EXPECT_FALSE(PortReservation::bind(kPort));

  auto reservation = PortReservation::join(kPort, "near");
  ASSERT_TRUE(reservation) << reservation.error().what;
  EXPECT_TRUE(reservation->send({ip("10.77.0.2"), 5555}, as_bytes("by the control thread")));
  EXPECT_EQ(next_payload(cable), joined({"by the control thread"}));
  EXPECT_TRUE(reservation->send({ip("fd77::2"), 5555}, as_bytes("by IPv6")));
  EXPECT_EQ(next_payload(cable), joined({"by IPv6"}));
  EXPECT_TRUE(reservation->send({ip("203.0.113.1"), 5555}, as_bytes("by this interface only")))
      << "where no table has a route";

  const std::array queues{(*port)->queue_for_worker(0, 0), (*port)->queue_for_worker(1, 1)};
  std::array<std::size_t, 2> received{};
  constexpr std::size_t kSenders = 64;
  for (std::uint16_t i = 0; i < kSenders; ++i)
    cable.send(udp_frame(ip("10.77.0.2"), ip("10.77.0.1"), kPort, "of many", 1000 + i));
  EXPECT_TRUE(eventually([&] {
    for (std::size_t i = 0; i < 2; ++i) {
      std::array<rte_mbuf*, 64> packets{};
      const std::uint16_t got = queues[i]->receive(packets);
      rte_pktmbuf_free_bulk(packets.data(), got);
      received[i] += got;
    }
    return received[0] + received[1] == kSenders;
  })) << "none goes to the one that only sends";
  EXPECT_GT(std::min(received[0], received[1]), 0U);
}

TEST(Udp, WakesWhoWaitsForIt) {
  const Cable cable;
  auto port = OutsidePort::open(near(), testbed::pool());
  ASSERT_TRUE(port) << port.error().what;
  const auto queue = (*port)->queue_for_worker(0, 0);
  EXPECT_FALSE((*port)->queue_for_worker(1, std::nullopt)->readable_fd());
  const auto readable = [&](int patience_ms) {
    pollfd waiting{queue->readable_fd().value(), POLLIN, 0};
    return poll(&waiting, 1, patience_ms) == 1;
  };
  EXPECT_FALSE(readable(0));
  cable.send(udp_frame(ip("10.77.0.2"), ip("10.77.0.1"), kPort, "wake up"));
  EXPECT_TRUE(readable(2000));
  EXPECT_EQ(receive(*queue, 1).size(), 1U);
  EXPECT_FALSE(readable(0));
}

TEST(Udp, SaysWhatWouldBeFaster) {
  const Cable cable;
  const auto note = [] {
    const auto port = OutsidePort::open(near(), testbed::pool());
    return port ? (*port)->note() : port.error().what;
  };
  EXPECT_NE(note().find("zero-copy"), std::string::npos) << note();
  testbed::run("ethtool -K near tx off gso off > /dev/null");
  EXPECT_NE(note().find("ethtool -K near tx on gso on"), std::string::npos) << note();
}

}  // namespace
}  // namespace magnetar
