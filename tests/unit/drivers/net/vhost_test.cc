// SPDX-License-Identifier: Apache-2.0
// The inside behind virtio, against a vhost-user server in this process: DPDK's own, which plays
// what vhost-net is in the kernel. The data path is the same; the interface is a stand-in.
#include <array>
#include <filesystem>
#include <vector>

#include <gtest/gtest.h>
#include <net/if.h>
#include <poll.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "dataplane/packet/meta.h"
#include "drivers/net/ethdev_device.h"
#include "drivers/net/interface.h"
#include "drivers/net/vhost_port.h"
#include "drivers/net/vhost_queue.h"
#include "tests/support/offload.h"
#include "tests/unit/drivers/net/testbed.h"

namespace magnetar {
namespace {

using magnetar::testing::packet_of;
using magnetar::testing::PacketSpec;
using testbed::eventually;
using testbed::prefix;

constexpr std::size_t kEthernet = 14;
constexpr const char* kInterface = "vhost-if";

struct VhostCase {
  std::uint16_t queues = 1;
  bool offloads = true;
  bool interrupts = false;
};

class Vhost : public ::testing::TestWithParam<VhostCase> {
 protected:
  void SetUp() override {
    before_ = rte_mempool_avail_count(testbed::pool());
    testbed::run("ip link add " + std::string(kInterface) + " type veth peer name vhost-other");
    std::string directory = std::filesystem::temp_directory_path() / "vhost-XXXXXX";
    ASSERT_NE(mkdtemp(directory.data()), nullptr);
    directory_ = directory;
    const std::string socket = directory_ / "socket";
    auto server = EthdevDevice::open(
        {.name = "net_vhost_server",
         .arguments = "iface=" + socket + ",tso=1,queues=" + std::to_string(GetParam().queues),
         .hotplug = true,
         .queues = GetParam().queues,
         .workers = GetParam().queues,
         .chains = true,
         .offloads = true},
        testbed::pool());
    ASSERT_TRUE(server) << server.error().what;
    server_ = std::move(*server);
    auto port = VhostPort::open({.inside = {.name = kInterface,
                                            .mtu = 1300,
                                            .queues = GetParam().queues,
                                            .offloads = GetParam().offloads,
                                            .addresses = {prefix("10.42.0.1/16")}},
                                 .workers = GetParam().queues,
                                 .interrupts = GetParam().interrupts,
                                 .path = socket},
                                testbed::pool());
    ASSERT_TRUE(port) << port.error().what;
    port_ = std::move(*port);
    ASSERT_EQ(port_->receive_queues(), GetParam().queues);
    for (std::uint16_t i = 0; i < GetParam().queues; ++i) {
      ours_.push_back(port_->queue_for_worker(i, i, stats_));
      theirs_.push_back(server_->queue(i, i));
    }
  }
  void TearDown() override {
    ours_.clear();
    theirs_.clear();
    port_.reset();
    server_.reset();
    testbed::run("ip link delete " + std::string(kInterface));
    std::filesystem::remove_all(directory_);
    EXPECT_EQ(rte_mempool_avail_count(testbed::pool()), before_) << "every buffer came back";
  }

  static rte_mbuf* mbuf_of(ByteView bytes) {
    rte_mbuf* const mbuf = rte_pktmbuf_alloc(testbed::pool());
    std::ranges::copy(bytes, data_of(*mbuf));
    set_length(*mbuf, bytes.size());
    return mbuf;
  }
  static Bytes whole(const rte_mbuf& chain) {
    Bytes out(chain.pkt_len);
    const void* at = rte_pktmbuf_read(&chain, 0, chain.pkt_len, out.data());
    std::memmove(out.data(), at, out.size());
    return out;
  }
  static Bytes framed(ByteView packet) {
    Bytes frame(kEthernet + packet.size());
    store_be_at(&frame[12], static_cast<std::uint16_t>(wire_type(packet)));
    std::ranges::copy(packet, frame.begin() + kEthernet);
    return frame;
  }
  static unsigned wire_type(ByteView packet) {
    return std::to_integer<unsigned>(packet[0]) >> 4U == 6 ? 0x86dd : 0x0800;
  }
  // The kernel's end gives a frame to queue `to`; the server takes a moment to be ready.
  void arrive(rte_mbuf* frame, std::size_t to = 0) {
    ASSERT_TRUE(eventually([&] { return theirs_[to]->transmit({&frame, 1}) == 1; }));
  }
  std::vector<Bytes> receive(std::size_t count, std::size_t at = 0) {
    std::vector<Bytes> out;
    eventually([&] {
      std::array<rte_mbuf*, 7> some;
      const std::uint16_t got = ours_[at]->receive(some);
      for (std::uint16_t i = 0; i < got; ++i) {
        EXPECT_EQ(some[i]->nb_segs, 1);
        EXPECT_GE(rte_pktmbuf_headroom(some[i]), 128);
        EXPECT_GE(rte_pktmbuf_tailroom(some[i]), 64);
        out.push_back(to_vector(view_of(*some[i])));
        rte_pktmbuf_free(some[i]);
      }
      return out.size() >= count;
    });
    return out;
  }
  // What came out of our queue `from`: whole frames, with their mbuf's words.
  struct Frame {
    Bytes bytes;
    std::uint16_t segment = 0;  // not 0: many packets of this payload
  };
  std::vector<Frame> leaving(std::size_t count, std::size_t from = 0) {
    std::vector<Frame> out;
    eventually([&] {
      std::array<rte_mbuf*, 32> some;
      const std::uint16_t got = theirs_[from]->receive(some);
      for (std::uint16_t i = 0; i < got; ++i) {
        const bool many = (some[i]->ol_flags & RTE_MBUF_F_RX_LRO) != 0;
        out.push_back({whole(*some[i]), static_cast<std::uint16_t>(many ? some[i]->tso_segsz : 0)});
        rte_pktmbuf_free(some[i]);
      }
      return out.size() >= count;
    });
    return out;
  }
  std::uint64_t drops(Verdict why) { return stats_.drops[static_cast<std::size_t>(why)].get(); }
  static std::vector<Bytes> stream(bool v4, std::size_t count) {
    std::vector<Bytes> packets;
    PacketSpec spec{.v4 = v4, .payload = 1200};
    for (std::size_t i = 0; i < count; ++i) {
      packets.push_back(packet_of(spec));
      spec.sequence += 1200;
      ++spec.id;
      ++spec.seed;
    }
    return packets;
  }

  void carries_packets_both_ways();
  void the_interface_is_set_up_and_silent();
  void what_belongs_together_leaves_as_one();
  void what_comes_as_one_is_cut();
  void an_unfinished_checksum_is_finished();
  void what_is_no_ip_is_dropped_and_counted();
  void a_worker_can_sleep_until_a_packet_comes();

  unsigned before_ = 0;
  std::filesystem::path directory_;
  WorkerStats stats_;
  std::unique_ptr<EthdevDevice> server_;
  std::unique_ptr<VhostPort> port_;
  std::vector<std::unique_ptr<PortQueue>> ours_;
  std::vector<std::unique_ptr<PortQueue>> theirs_;
};

void Vhost::carries_packets_both_ways() {
  const MacAddr mac = interface_facts(kInterface)->mac;
  for (std::size_t queue = 0; queue < ours_.size(); ++queue) {
    for (const bool v4 : {true, false}) {
      for (const std::size_t payload : {0U, 100U, 1200U}) {
        SCOPED_TRACE(payload);
        const Bytes packet = packet_of({.v4 = v4, .tcp = false, .payload = payload});
        arrive(mbuf_of(framed(packet)), queue);
        EXPECT_EQ(receive(1, queue), std::vector<Bytes>({packet}));

        rte_mbuf* mbuf = mbuf_of(packet);
        ASSERT_EQ(ours_[queue]->transmit({&mbuf, 1}), 1);
        const auto frames = leaving(1, queue);
        ASSERT_EQ(frames.size(), 1U);
        const ByteView frame = frames[0].bytes;
        EXPECT_TRUE(std::ranges::equal(frame.first(6), mac));
        EXPECT_TRUE(std::ranges::equal(frame.subspan(6, 6), kVhostSource));
        EXPECT_EQ(load_be_at<std::uint16_t>(&frame[12]), wire_type(packet));
        EXPECT_EQ(to_vector(frame.subspan(kEthernet)), packet);
      }
    }
  }
}

void Vhost::the_interface_is_set_up_and_silent() {
  const std::string link = testbed::output("ip link show " + std::string(kInterface));
  EXPECT_NE(link.find("NOARP"), std::string::npos) << link;
  EXPECT_NE(link.find("mtu 1300"), std::string::npos) << link;
  EXPECT_NE(testbed::output("ip address show " + std::string(kInterface)).find("10.42.0.1/16"),
            std::string::npos);
  EXPECT_EQ(port_->offloads(), GetParam().offloads ? "checksum, tso4, tso6" : "checksum");
}

void Vhost::what_belongs_together_leaves_as_one() {
  for (const bool v4 : {true, false}) {
    const std::vector<Bytes> packets = stream(v4, 20);
    std::vector<rte_mbuf*> mbufs;
    for (const Bytes& packet : packets) mbufs.push_back(mbuf_of(packet));
    ASSERT_EQ(ours_[0]->transmit(mbufs), packets.size());
    const auto frames = leaving(GetParam().offloads ? 1 : packets.size());
    if (!GetParam().offloads) {
      ASSERT_EQ(frames.size(), packets.size());
      continue;
    }
    ASSERT_EQ(frames.size(), 1U);
    EXPECT_EQ(frames[0].segment, 1200);
    const ByteView packet = ByteView(frames[0].bytes).subspan(kEthernet);
    const auto header = offload::describe_unfinished(packet, frames[0].segment);
    ASSERT_TRUE(header);
    EXPECT_TRUE(magnetar::testing::segments_of(*header, packet) == packets);
  }
}

void Vhost::what_comes_as_one_is_cut() {
  if (!GetParam().offloads) return;  // nobody is told to send so
  for (const bool v4 : {true, false}) {
    const std::vector<Bytes> packets = stream(v4, 20);
    offload::Coalescer coalescer;
    const auto views = magnetar::testing::views_of(packets);
    const auto bundles = coalescer.collect(views);
    ASSERT_EQ(bundles.size(), 1U);
    const auto one = magnetar::testing::whole_of(coalescer, bundles[0], packets);
    const Bytes frame = framed(one.packet);
    rte_mbuf* chain = nullptr;
    for (ByteView rest = frame; !rest.empty();
         rest = rest.subspan(std::min<std::size_t>(1500, rest.size()))) {
      rte_mbuf* const part = mbuf_of(rest.first(std::min<std::size_t>(1500, rest.size())));
      if (chain == nullptr)
        chain = part;
      else
        ASSERT_EQ(rte_pktmbuf_chain(chain, part), 0);
    }
    chain->ol_flags |= RTE_MBUF_F_TX_TCP_SEG | (v4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6);
    chain->l2_len = kEthernet;
    chain->l3_len = v4 ? 20 : 40;
    chain->l4_len = 20;
    chain->tso_segsz = 1200;
    arrive(chain);
    auto got = receive(packets.size());
    // This server, unlike vhost-net, leaves the length out of the pseudo header's sum:
    // vhost_queue_test.cc has the checksums.
    for (Bytes& packet : got) magnetar::testing::finish(packet);
    EXPECT_TRUE(got == packets);
  }
}

void Vhost::an_unfinished_checksum_is_finished() {
  for (const bool tcp : {true, false}) {
    const Bytes packet = packet_of({.tcp = tcp});
    Bytes unfinished = packet;
    magnetar::testing::finish(unfinished, true);
    rte_mbuf* const mbuf = mbuf_of(framed(unfinished));
    mbuf->ol_flags |=
        RTE_MBUF_F_TX_IPV4 | (tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM);
    mbuf->l2_len = kEthernet;
    mbuf->l3_len = 20;
    arrive(mbuf);
    EXPECT_EQ(receive(1), std::vector<Bytes>({packet}));
  }
}

void Vhost::what_is_no_ip_is_dropped_and_counted() {
  Bytes arp = framed(packet_of({}));
  store_be_at(&arp[12], std::uint16_t{0x0806});
  const Bytes good = packet_of({});
  arrive(mbuf_of(arp));
  arrive(mbuf_of(framed(good)));
  EXPECT_EQ(receive(1), std::vector<Bytes>({good}));
  EXPECT_EQ(drops(Verdict::kInsideMalformed), 1U);
  EXPECT_EQ(stats_.inside.rx_packets.get(), 1U) << "the rest is for the worker to count";
}

void Vhost::a_worker_can_sleep_until_a_packet_comes() {
  PortQueue& queue = *ours_[0];
  ASSERT_EQ(queue.readable_fd().has_value(), GetParam().interrupts);
  if (!GetParam().interrupts) return;
  ASSERT_GT(queue.arm(), 0);
  arrive(mbuf_of(framed(packet_of({}))));
  pollfd ready{*queue.readable_fd(), POLLIN, 0};
  EXPECT_EQ(poll(&ready, 1, 2000), 1);
  queue.disarm();
  EXPECT_EQ(receive(1).size(), 1U);
}

// The steps of one, as a server takes a second to start.
TEST_P(Vhost, CarriesWhatAnInsideCarries) {
  carries_packets_both_ways();
  the_interface_is_set_up_and_silent();
  what_belongs_together_leaves_as_one();
  what_comes_as_one_is_cut();
  an_unfinished_checksum_is_finished();
  what_is_no_ip_is_dropped_and_counted();
  a_worker_can_sleep_until_a_packet_comes();
}

INSTANTIATE_TEST_SUITE_P(Kinds, Vhost,
                         ::testing::Values(VhostCase{}, VhostCase{.offloads = false},
                                           VhostCase{.queues = 2}, VhostCase{.interrupts = true}));

TEST(VhostPort, SaysWhatIsMissing) {
  const auto port = VhostPort::open({.path = "/dev/no-such-vhost"}, testbed::pool());
  ASSERT_FALSE(port);
  for (const char* said : {"/dev/no-such-vhost", "modprobe vhost_net", "inside.device = \"tun\""})
    EXPECT_NE(port.error().what.find(said), std::string::npos) << port.error().what;
}

TEST(VhostPort, RefusesANameThatIsTaken) {
  const auto port =
      VhostPort::open({.inside = {.name = "lo"}, .path = "/dev/null"}, testbed::pool());
  ASSERT_FALSE(port);
  EXPECT_NE(port.error().what.find("interface lo exists already"), std::string::npos);
}

}  // namespace
}  // namespace magnetar
