// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <csignal>

#include <gtest/gtest.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/net/port.h"
#include "drivers/net/xdp_steer.h"
#include "tests/unit/drivers/net/testbed.h"

namespace magnetar {
namespace {

using testbed::Cable;
using testbed::contains;
using testbed::eventually;
using testbed::ip;
using testbed::kPort;
using testbed::udp_frame;

OutsidePortOptions near(OutsideBackend backend, std::uint16_t queues = 1) {
  return {.port = "near",
          .backend = backend,
          .listen_port = kPort,
          .mtu = 1500,
          .queues = queues,
          .workers = queues};
}

ByteView bytes_of(const rte_mbuf* packet) {
  return {rte_pktmbuf_mtod(packet, const std::byte*), packet->data_len};
}

// Receives until something comes; what came, as bytes. Buffers go back.
std::vector<Bytes> receive(std::span<const std::unique_ptr<PortQueue>> queues, std::size_t count) {
  std::vector<Bytes> frames;
  eventually([&] {
    for (const auto& queue : queues) {
      std::array<rte_mbuf*, 32> packets{};
      const std::uint16_t got = queue->receive(packets);
      for (rte_mbuf* packet : std::span(packets).first(got)) {
        EXPECT_GE(rte_pktmbuf_headroom(packet), 128);
        EXPECT_GE(rte_pktmbuf_tailroom(packet), 64);
        EXPECT_EQ(packet->nb_segs, 1);
        frames.push_back(to_vector(bytes_of(packet)));
        rte_pktmbuf_free(packet);
      }
    }
    return frames.size() >= count;
  });
  return frames;
}

bool transmit(PortQueue& queue, ByteView frame) {
  std::array<rte_mbuf*, 1> packets{rte_pktmbuf_alloc(testbed::pool())};
  char* room = rte_pktmbuf_append(packets[0], static_cast<std::uint16_t>(frame.size()));
  std::memcpy(room, frame.data(), frame.size());
  return eventually([&] { return queue.transmit(packets) == 1; });
}

std::vector<std::unique_ptr<PortQueue>> all_queues(OutsidePort& port) {
  std::vector<std::unique_ptr<PortQueue>> queues;
  for (std::uint16_t i = 0; i < port.receive_queues(); ++i)
    queues.push_back(port.queue_for_worker(i, i));
  return queues;
}

bool has_xdp_program() {
  return testbed::output("ip link show dev near").find("xdp") != std::string::npos;
}

struct Setting {
  OutsideBackend backend;
  std::uint16_t queues;
};

class KernelPort : public testing::TestWithParam<Setting> {};

TEST_P(KernelPort, TakesNebulaAndLeavesTheRest) {
  const Cable cable(GetParam().queues);
  auto port = OutsidePort::open(near(GetParam().backend, GetParam().queues), testbed::pool());
  ASSERT_TRUE(port) << port.error().what;
  EXPECT_EQ((*port)->mac(), Cable::kNear);
  EXPECT_EQ((*port)->backend(), GetParam().backend);
  ASSERT_EQ((*port)->receive_queues(), GetParam().queues);
  const auto queues = all_queues(**port);

  // Only the first and the last of these are for us.
  cable.send(udp_frame(ip("10.77.0.2"), ip("10.77.0.1"), kPort, "first"));
  cable.send(udp_frame(ip("10.77.0.2"), ip("10.77.0.1"), kPort + 1, "other port"));
  Bytes fragment = udp_frame(ip("10.77.0.2"), ip("10.77.0.1"), kPort, "fragment");
  fragment[20] = std::byte{0x20};  // more fragments
  cable.send(fragment);
  Bytes tcp = udp_frame(ip("10.77.0.2"), ip("10.77.0.1"), kPort, "not UDP");
  tcp[23] = std::byte{6};
  cable.send(tcp);
  cable.send(
      ByteView(udp_frame(ip("10.77.0.2"), ip("10.77.0.1"), kPort, "")).first(36));  // no UDP header
  cable.send(testbed::arp_request(ip("10.77.0.2"), ip("10.77.0.1")));
  EXPECT_TRUE(cable.expect(testbed::is_arp_reply)) << "the kernel still answers ARP";
  cable.send(udp_frame(ip("fd77::2"), ip("fd77::1"), kPort, "last"));
  const auto frames = receive(queues, 2);
  ASSERT_EQ(frames.size(), 2U);
  const bool in_order = contains(frames[0], "first");  // with several queues either may come first
  EXPECT_TRUE(contains(frames[in_order ? 0 : 1], "first"));
  EXPECT_TRUE(contains(frames[in_order ? 1 : 0], "last"));

  const Bytes full = udp_frame(ip("10.77.0.2"), ip("10.77.0.1"), kPort, std::string(1472, 'x'));
  cable.send(full);
  const auto whole = receive(queues, 1);
  ASSERT_EQ(whole.size(), 1U);
  if (GetParam().backend == OutsideBackend::kUdp)  // its headers are made up
    EXPECT_TRUE(testbed::same_datagram(whole[0], full));
  else
    EXPECT_EQ(whole[0], full) << "a frame of the full MTU, byte by byte";
  EXPECT_EQ((*port)->counters().rx_missed, 0U);
}

TEST_P(KernelPort, TransmitsFromEveryWorker) {
  const Cable cable(GetParam().queues);
  auto options = near(GetParam().backend, GetParam().queues);
  options.workers = 3;  // more than there are queues to transmit on
  auto port = OutsidePort::open(options, testbed::pool());
  ASSERT_TRUE(port) << port.error().what;
  const bool udp = GetParam().backend == OutsideBackend::kUdp;
  EXPECT_EQ((*port)->note().find("workers share") == std::string::npos, udp);
  testbed::run("ip neigh replace 10.77.0.2 lladdr 02:00:00:00:00:02 dev near nud permanent");
  for (std::uint16_t worker = 0; worker < options.workers; ++worker) {
    SCOPED_TRACE(worker);
    const std::optional<std::uint16_t> rx =
        worker < GetParam().queues ? std::optional(worker) : std::nullopt;
    const auto queue = (*port)->queue_for_worker(worker, rx);
    const std::string payload = "from worker " + std::to_string(worker);
    const Bytes frame = udp_frame(ip("10.77.0.1"), ip("10.77.0.2"), kPort, payload, kPort);
    ASSERT_TRUE(transmit(*queue, frame));
    const auto seen = cable.expect([&](ByteView f) { return contains(f, payload); });
    ASSERT_TRUE(seen);
    if (udp)  // the kernel's own headers
      EXPECT_TRUE(testbed::same_datagram(*seen, frame));
    else
      EXPECT_EQ(*seen, frame);
  }
}

// More packets than any ring has slots, so that every buffer goes round several times.
TEST_P(KernelPort, LosesNoBuffers) {
  const Cable cable(GetParam().queues);
  testbed::run("ip neigh replace 10.77.0.2 lladdr 02:00:00:00:00:02 dev near nud permanent");
  const unsigned before = rte_mempool_avail_count(testbed::pool());
  auto port = OutsidePort::open(near(GetParam().backend, GetParam().queues), testbed::pool());
  ASSERT_TRUE(port) << port.error().what;
  auto queues = all_queues(**port);
  std::size_t received = 0;
  const Bytes frame = udp_frame(ip("10.77.0.2"), ip("10.77.0.1"), kPort, std::string(1000, 'r'));
  const Bytes back = udp_frame(ip("10.77.0.1"), ip("10.77.0.2"), kPort, std::string(1000, 't'));
  constexpr std::size_t kRounds = 400;
  constexpr std::size_t kEach = 16;
  for (std::size_t i = 0; i < kRounds; ++i) {
    for (std::size_t j = 0; j < kEach; ++j) cable.send(frame);
    received += receive(queues, kEach).size();
    ASSERT_TRUE(transmit(*queues[i % queues.size()], back));
  }
  EXPECT_EQ(received, kRounds * kEach);
  queues.clear();
  port->reset();
  EXPECT_EQ(rte_mempool_avail_count(testbed::pool()), before);
}

TEST_P(KernelPort, LeavesNothingBehind) {
  const Cable cable(GetParam().queues);
  for (int i = 0; i < 3; ++i) {
    SCOPED_TRACE(i);
    auto port = OutsidePort::open(near(GetParam().backend, GetParam().queues), testbed::pool());
    ASSERT_TRUE(port) << port.error().what;
    EXPECT_EQ(has_xdp_program(), GetParam().backend == OutsideBackend::kAfXdp);
    cable.send(udp_frame(ip("10.77.0.2"), ip("10.77.0.1"), kPort, "again"));
    EXPECT_EQ(receive(all_queues(**port), 1).size(), 1U);
    port->reset();
    EXPECT_FALSE(has_xdp_program());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Backends, KernelPort,
    testing::Values(Setting{OutsideBackend::kAfPacket, 1}, Setting{OutsideBackend::kAfPacket, 2},
                    Setting{OutsideBackend::kAfXdp, 1}, Setting{OutsideBackend::kAfXdp, 2},
                    Setting{OutsideBackend::kUdp, 1}, Setting{OutsideBackend::kUdp, 2}),
    [](const auto& setting) {
      return std::string(backend_name(setting.param.backend)) + "_" +
             std::to_string(setting.param.queues);
    });

TEST(AfXdp, OpensAfterAGatewayThatWasKilled) {
  const Cable cable;
  std::array<int, 2> ready{};
  ASSERT_EQ(pipe(ready.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    auto steer = XdpSteer::load(interface_facts("near").value(),
                                {.udp_port = kPort, .networks = {}, .own = {}});
    const char attached = steer && (*steer)->attach() ? 'y' : 'n';
    (void)!write(ready[1], &attached, 1);
    pause();
  }
  char attached = 0;
  ASSERT_EQ(read(ready[0], &attached, 1), 1);
  ASSERT_EQ(attached, 'y');
  ASSERT_TRUE(has_xdp_program());
  kill(child, SIGKILL);
  const auto port = OutsidePort::open(near(OutsideBackend::kAfXdp), testbed::pool());
  EXPECT_TRUE(port) << port.error().what;
  waitpid(child, nullptr, 0);
}

TEST(AfXdp, GivesWayToAfPacketWhenItFails) {
  const Cable cable;
  const unsigned before = rte_mempool_avail_count(testbed::pool());
  auto other = XdpSteer::load(interface_facts("near").value(),
                              {.udp_port = kPort, .networks = {}, .own = {}});
  ASSERT_TRUE(other);
  ASSERT_TRUE((*other)->attach());
  const auto refused = OutsidePort::open(near(OutsideBackend::kAfXdp), testbed::pool());
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("near has another XDP program"), std::string::npos)
      << refused.error().what;
  EXPECT_EQ(rte_mempool_avail_count(testbed::pool()), before) << "its buffers came back";
  other->reset();

  const auto port = OutsidePort::open(near(OutsideBackend::kAfPacket), testbed::pool());
  ASSERT_TRUE(port) << port.error().what;
  cable.send(udp_frame(ip("10.77.0.2"), ip("10.77.0.1"), kPort, "through"));
  EXPECT_EQ(receive(all_queues(**port), 1).size(), 1U);
  EXPECT_FALSE((*port)->note().empty());
}

TEST(AfXdp, RefusesADriverThatCopiesWhenAskedTo) {
  const Cable cable;  // veth copies
  auto options = near(OutsideBackend::kAfXdp);
  options.zero_copy_only = true;
  const auto refused = OutsidePort::open(options, testbed::pool());
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("no AF_XDP zero-copy"), std::string::npos);
}

// As inside: what is for the overlay, and to the interface, comes to us; our own overlay address,
// and all else, stays with the kernel.
TEST(AfXdp, TakesWhatIsToBeRouted) {
  const Cable cable;
  OutsidePortOptions options = near(OutsideBackend::kAfXdp);
  options.networks = {testbed::prefix("10.42.0.1/24"), testbed::prefix("fd42::1/64")};
  options.own = {ip("10.42.0.1"), ip("fd42::1")};
  const auto port = OutsidePort::open(options, testbed::pool());
  ASSERT_TRUE(port) << port.error().what;
  const auto queues = all_queues(**port);
  const std::pair<const char*, const char*> rows[] = {
      {"10.77.0.2", "10.42.0.1"}, {"10.77.0.2", "10.43.0.2"}, {"10.77.0.2", "10.77.0.1"},
      {"fd77::2", "fd42::1"},     {"fd77::2", "fd43::2"},     {"10.77.0.2", "10.42.0.2"},
      {"fd77::2", "fd42::2"}};
  for (const auto& [from, to] : rows) cable.send(udp_frame(ip(from), ip(to), 9, to));
  Bytes other = udp_frame(ip("10.77.0.2"), ip("10.42.0.2"), 9, "another station's");
  other[5] = std::byte{9};
  cable.send(other);
  cable.send(udp_frame(ip("10.77.0.2"), ip("10.42.0.2"), 9, "last"));
  const auto taken = receive(queues, 3);
  ASSERT_EQ(taken.size(), 3U);
  EXPECT_TRUE(testbed::contains(taken[0], "10.42.0.2"));
  EXPECT_TRUE(testbed::contains(taken[1], "fd42::2"));
  EXPECT_TRUE(testbed::contains(taken[2], "last"));
}

TEST(AfPacket, TakesJumboFrames) {
  const Cable cable;
  testbed::run("ip link set near mtu 9000 && ip link set far mtu 9000");
  rte_mempool* pool = rte_pktmbuf_pool_create("jumbo", 511, 0, 128, packet_data_room(9000), 0);
  ASSERT_NE(pool, nullptr);
  auto options = near(OutsideBackend::kAfXdp);
  options.mtu = 9000;
  EXPECT_FALSE(OutsidePort::open(options, pool)) << "AF_XDP has no room for them";
  options.backend = OutsideBackend::kAfPacket;
  {
    const auto port = OutsidePort::open(options, pool);
    ASSERT_TRUE(port) << port.error().what;
    const Bytes full = udp_frame(ip("10.77.0.2"), ip("10.77.0.1"), kPort, std::string(8972, 'j'));
    for (int i = 0; i < 3; ++i) cable.send(full);  // neighbouring slots
    const auto frames = receive(all_queues(**port), 3);
    ASSERT_EQ(frames.size(), 3U);
    for (const Bytes& frame : frames) EXPECT_EQ(frame, full);
  }
  rte_mempool_free(pool);
}

TEST(OutsidePort, SaysWhatIsWrong) {
  struct Case {
    const char* why;
    const char* before;
    OutsideBackend backend;
    const char* port;
    std::uint16_t queues;
    const char* says;
  };
  const Case cases[] = {
      {"no such interface", "true", OutsideBackend::kAfXdp, "nosuch0", 1, "no interface nosuch0"},
      {"no such interface", "true", OutsideBackend::kAfPacket, "nosuch0", 1,
       "no interface nosuch0"},
      {"no such interface", "true", OutsideBackend::kUdp, "nosuch0", 1, "no interface nosuch0"},
      {"not Ethernet", "true", OutsideBackend::kAfPacket, "lo", 1,
       "lo is not an Ethernet interface"},
      {"more queues than the interface has", "true", OutsideBackend::kAfXdp, "near", 2,
       "ethtool -L near combined 2"},
      {"down", "ip link set near down", OutsideBackend::kAfXdp, "near", 1, "ip link set near up"},
      {"no such driver", "true", OutsideBackend::kEthdev, "net_nosuch0,a=b", 1,
       "cannot open net_nosuch0"},
      {"no such PCI device", "true", OutsideBackend::kEthdev, "0000:99:00.0", 1,
       "no device 0000:99:00.0"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    const Cable cable;
    testbed::run(c.before);
    auto options = near(c.backend, c.queues);
    options.port = c.port;
    const auto port = OutsidePort::open(options, testbed::pool());
    ASSERT_FALSE(port);
    EXPECT_NE(port.error().what.find(c.says), std::string::npos) << port.error().what;
  }
}

TEST(OutsidePort, OpensAnyEthdev) {
  auto options = near(OutsideBackend::kEthdev);
  options.port = "net_null0,size=100";
  options.workers = 2;
  for (int i = 0; i < 2; ++i) {  // detached, it can be attached again
    const auto port = OutsidePort::open(options, testbed::pool());
    ASSERT_TRUE(port) << port.error().what;
    const auto frames = receive(all_queues(**port), 32);
    ASSERT_FALSE(frames.empty());
    EXPECT_EQ(frames.front().size(), 100U);
    EXPECT_TRUE(transmit(*(*port)->queue_for_worker(1, std::nullopt), frames.front()));
  }
}

TEST(PortReservation, KeepsTheKernelSilent) {
  const Cable cable;
  const auto unreachable = [](ByteView frame) {  // ICMP type 3
    return frame.size() > 34 && frame[12] == std::byte{8} && frame[13] == std::byte{0} &&
           frame[23] == std::byte{1} && frame[34] == std::byte{3};
  };
  testbed::run("ip neigh replace 10.77.0.2 lladdr 02:00:00:00:00:02 dev near nud permanent");
  auto reservation = PortReservation::bind(kPort);
  ASSERT_TRUE(reservation) << reservation.error().what;
  cable.send(udp_frame(ip("10.77.0.2"), ip("10.77.0.1"), kPort, "reserved"));
  cable.send(udp_frame(ip("10.77.0.2"), ip("10.77.0.1"), kPort + 1, "not reserved"));
  const auto refusal = cable.expect(unreachable);
  ASSERT_TRUE(refusal);
  EXPECT_TRUE(contains(*refusal, "not reserved")) << "the first refusal is for the second datagram";

  const auto taken = PortReservation::bind(kPort);
  ASSERT_FALSE(taken);
  EXPECT_NE(taken.error().what.find("ss -ulpn"), std::string::npos);

  EXPECT_TRUE(reservation->send({ip("10.77.0.2"), 4000}, as_bytes("by the kernel")));
  const auto sent = cable.expect([](ByteView frame) { return contains(frame, "by the kernel"); });
  ASSERT_TRUE(sent);
  EXPECT_EQ(load_be<std::uint16_t>(ByteView(*sent).subspan<34, 2>()), kPort)
      << "from the Nebula port";
}

}  // namespace
}  // namespace magnetar
