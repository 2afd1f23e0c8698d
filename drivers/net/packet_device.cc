// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/packet_device.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <set>

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <rte_mbuf.h>
#include <sys/socket.h>

#include "drivers/net/ethdev_device.h"
#include "drivers/net/interface.h"
#include "drivers/net/os_error.h"

namespace magnetar {
namespace {

constexpr const char* kDeviceName = "net_af_packet_magnetar";
constexpr unsigned kFrames = 2048;
constexpr std::uint32_t kPage = 4096;
constexpr std::uint32_t kSlotUnit = 512;

// DPDK's driver keeps its sockets to itself, and they are all we lack to set a filter.
std::set<int> packet_sockets() {
  std::set<int> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
    const int fd = std::atoi(entry.path().filename().c_str());
    int domain = 0;
    socklen_t size = sizeof(domain);
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_PACKET)
      found.insert(fd);
  }
  return found;
}

// A test at `at` and the instructions to go on with; classic BPF counts from the one after it.
constexpr sock_filter branch(std::uint8_t test, std::uint32_t value, unsigned at, unsigned yes,
                             unsigned no) {
  return {static_cast<std::uint16_t>(BPF_JMP | BPF_K | test),
          static_cast<std::uint8_t>(yes - at - 1), static_cast<std::uint8_t>(no - at - 1), value};
}
constexpr sock_filter load(std::uint16_t size, std::uint32_t offset) {
  return {static_cast<std::uint16_t>(BPF_LD | BPF_ABS | size), 0, 0, offset};
}
constexpr std::uint32_t ancillary(int what) {
  return static_cast<std::uint32_t>(SKF_AD_OFF + what);
}

// Untagged UDP to the port, over IPv4 without options or fragments, or IPv6 without extension
// headers: the same that steer.bpf.c takes. Not what this host sends itself. Fragments of IPv4 have
// been put together by then: the driver's sockets are a fanout with PACKET_FANOUT_FLAG_DEFRAG.
bool filter_socket(int fd, std::uint16_t port) {
  constexpr unsigned kIpv6 = 15;
  constexpr unsigned kUdp = 18;
  constexpr unsigned kAccept = 20;
  constexpr unsigned kDrop = 21;
  std::array<sock_filter, 22> code{{
      /*  0 */ load(BPF_W, ancillary(SKF_AD_VLAN_TAG_PRESENT)),
      /*  1 */ branch(BPF_JEQ, 0, 1, 2, kDrop),
      /*  2 */ load(BPF_W, ancillary(SKF_AD_PKTTYPE)),
      /*  3 */ branch(BPF_JEQ, PACKET_OUTGOING, 3, kDrop, 4),
      /*  4 */ load(BPF_H, 12),  // EtherType
      /*  5 */ branch(BPF_JEQ, ETH_P_IPV6, 5, kIpv6, 6),
      /*  6 */ branch(BPF_JEQ, ETH_P_IP, 6, 7, kDrop),
      /*  7 */ load(BPF_B, 14),  // version and header length
      /*  8 */ branch(BPF_JEQ, 0x45, 8, 9, kDrop),
      /*  9 */ load(BPF_H, 20),  // more-fragments flag and offset
      /* 10 */ branch(BPF_JSET, 0x3fff, 10, kDrop, 11),
      /* 11 */ load(BPF_B, 23),  // protocol
      /* 12 */ branch(BPF_JEQ, IPPROTO_UDP, 12, 13, kDrop),
      /* 13 */ BPF_STMT(BPF_LDX | BPF_IMM, 34),
      /* 14 */ BPF_STMT(BPF_JMP | BPF_JA, kUdp - 15),
      /* 15 */ load(BPF_B, 20),  // next header
      /* 16 */ branch(BPF_JEQ, IPPROTO_UDP, 16, 17, kDrop),
      /* 17 */ BPF_STMT(BPF_LDX | BPF_IMM, 54),
      /* 18 */ BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),  // destination port
      /* 19 */ branch(BPF_JEQ, port, 19, kAccept, kDrop),
      /* 20 */ BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      /* 21 */ BPF_STMT(BPF_RET | BPF_K, 0),
  }};
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
}

// What the sockets took before they had their filter.
void discard_unfiltered(EthdevDevice& ethdev) {
  for (std::uint16_t i = 0; i < ethdev.receive_queues(); ++i) {
    const auto queue = ethdev.queue(0, i);
    std::array<rte_mbuf*, 64> packets{};
    std::uint16_t got = packets.size();
    for (unsigned all = 0; got == packets.size() && all < kFrames; all += got) {
      got = queue->receive(packets);
      rte_pktmbuf_free_bulk(packets.data(), got);
    }
  }
}

std::string vdev_arguments(const PacketDeviceOptions& options) {
  const std::uint32_t slot = packet_ring_slot(options.mtu);
  // The driver takes the ring for one array, so slots must fill their blocks without a rest, and
  // blocks are whole pages.
  const std::uint32_t block = slot * (kPage / kSlotUnit);
  return "iface=" + options.interface + ",qpairs=" + std::to_string(options.queues) +
         ",blocksz=" + std::to_string(block) + ",framesz=" + std::to_string(slot) +
         ",framecnt=" + std::to_string(kFrames) + ",qdisc_bypass=1";
}

// The driver's queue, and its socket to wait for.
class PacketQueue final : public PortQueue {
 public:
  PacketQueue(std::unique_ptr<PortQueue> driver, std::optional<int> socket)
      : driver_(std::move(driver)), socket_(socket) {}
  std::uint16_t receive(std::span<rte_mbuf*> into) override { return driver_->receive(into); }
  std::uint16_t transmit(std::span<rte_mbuf*> packets) override {
    return driver_->transmit(packets);
  }
  [[nodiscard]] std::optional<int> readable_fd() const override { return socket_; }

 private:
  std::unique_ptr<PortQueue> driver_;
  std::optional<int> socket_;
};

class PacketDevice final : public OutsideDevice {
 public:
  PacketDevice(std::unique_ptr<EthdevDevice> ethdev, std::vector<int> sockets)
      : ethdev_(std::move(ethdev)), sockets_(std::move(sockets)) {}

  std::unique_ptr<PortQueue> queue(std::uint16_t worker,
                                   std::optional<std::uint16_t> rx_queue) override {
    std::optional<int> socket;
    if (rx_queue && *rx_queue < sockets_.size()) socket = sockets_[*rx_queue];
    return std::make_unique<PacketQueue>(ethdev_->queue(worker, rx_queue), socket);
  }
  [[nodiscard]] MacAddr mac() const override { return ethdev_->mac(); }
  [[nodiscard]] std::uint16_t receive_queues() const override { return ethdev_->receive_queues(); }
  [[nodiscard]] std::uint16_t transmit_queues() const override {
    return ethdev_->transmit_queues();
  }
  [[nodiscard]] std::string note() const override { return {}; }

  // The driver does not ask the kernel what it dropped for want of a free slot.
  [[nodiscard]] std::uint64_t rx_missed() const override {
    for (const int fd : sockets_) {
      tpacket_stats stats{};  // since the last time it was asked for
      socklen_t size = sizeof(stats);
      if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) == 0)
        missed_ += stats.tp_drops;
    }
    return missed_ + ethdev_->rx_missed();
  }

 private:
  std::unique_ptr<EthdevDevice> ethdev_;
  std::vector<int> sockets_;  // the driver's, one a queue, opened one after the other
  mutable std::atomic<std::uint64_t> missed_ = 0;
};

}  // namespace

std::uint32_t packet_ring_slot(std::uint16_t mtu) {
  constexpr std::uint32_t kLeast = 2048;
  constexpr std::uint32_t kSlotHeader = 128;  // tpacket2_hdr, sockaddr_ll, alignment, Ethernet
  const std::uint32_t needed = std::max(kLeast, kSlotHeader + mtu);
  return (needed + kSlotUnit - 1) / kSlotUnit * kSlotUnit;
}

Result<std::unique_ptr<OutsideDevice>, DeviceError> open_packet_device(
    const PacketDeviceOptions& options, rte_mempool* pool) {
  if (const auto facts = interface_facts(options.interface); !facts) return fail(facts.error());
  const std::set<int> before = packet_sockets();
  auto ethdev = EthdevDevice::open({.name = kDeviceName,
                                    .arguments = vdev_arguments(options),
                                    .hotplug = true,
                                    .mtu = 0,  // the interface keeps what its owner gave it
                                    .queues = options.queues,
                                    .workers = options.workers},
                                   pool);
  if (!ethdev) return fail(std::move(ethdev).error());
  std::vector<int> sockets;
  std::ranges::set_difference(packet_sockets(), before, std::back_inserter(sockets));
  for (const int fd : sockets) {
    if (!filter_socket(fd, options.listen_port))
      return fail(os_error("cannot filter what AF_PACKET receives on " + options.interface, errno));
  }
  discard_unfiltered(**ethdev);
  return std::make_unique<PacketDevice>(std::move(*ethdev), std::move(sockets));
}

}  // namespace magnetar
