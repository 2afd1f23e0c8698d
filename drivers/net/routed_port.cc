// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/routed_port.h"

#include <algorithm>

#include <netinet/in.h>
#include <rte_mbuf.h>
#include <sys/socket.h>

#include "dataplane/offload/headers.h"

namespace magnetar {
namespace {

constexpr const char* kTwinName = "magnetar-in";
constexpr unsigned kRing = 1024;
constexpr std::size_t kFrameSlack = 18;  // Ethernet and a VLAN tag

// Sends packets whose IP header is there already, out of one interface: the kernel finds the
// neighbour, and keeps the packet until it has.
Result<UniqueFd, DeviceError> open_sender(int family, const std::string& interface) {
  UniqueFd fd(socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW));
  if (fd.get() < 0 || setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, interface.c_str(),
                                 static_cast<socklen_t>(interface.size())) != 0)
    return fail(os_error("no raw socket on " + interface, errno));
  const int none = 0;  // it is for sending alone
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &none, sizeof(none));
  return fd;
}

}  // namespace

RoutedPort::RoutedPort(const RoutedPortOptions& options, TunPort& local, rte_mempool* pool,
                       Grace& grace)
    : pool_(pool),
      mtu_(options.port.mtu),
      kernel_interface_(options.port.backend != OutsideBackend::kEthdev),
      fib_(grace),
      local_fd_(local.fd()),
      local_(local.queue_for_worker(0, 0, local_stats_)) {}

Result<std::unique_ptr<RoutedPort>, DeviceError> RoutedPort::open(const RoutedPortOptions& options,
                                                                  TunPort& local, rte_mempool* pool,
                                                                  Grace& grace) {
  std::unique_ptr<RoutedPort> self(new RoutedPort(options, local, pool, grace));
  auto port = OutsidePort::open(options.port, pool);
  if (!port) return fail(std::move(port).error());
  self->port_ = std::move(*port);
  if (auto done = self->open_kernel_side(options); !done) return fail(std::move(done).error());
  if (auto done = self->open_senders(); !done) return fail(std::move(done).error());
  auto follower = RouteFollower::open(self->interface_, self->fib_);
  if (!follower) return fail(std::move(follower).error());
  self->follower_ = std::move(*follower);
  return self;
}

Result<void, DeviceError> RoutedPort::open_kernel_side(const RoutedPortOptions& options) {
  interface_ = options.port.port;
  if (!kernel_interface_) {
    auto twin = Twin::open(kTwinName, port_->mac(), options.port.mtu);
    if (!twin) return fail(std::move(twin).error());
    twin_ = std::move(*twin);
    interface_ = twin_->name();
  }
  auto netlink = Netlink::open(interface_);
  if (!netlink) return fail(std::move(netlink).error());
  netlink_ = std::move(*netlink);
  for (const Prefix& address : options.addresses) {
    if (std::ranges::find(netlink_->addresses(), address) != netlink_->addresses().end()) continue;
    if (auto added = add_address(netlink_->link().index, address); !added) return added;
    added_addresses_.push_back(address);
  }
  netlink_->process();
  return {};
}

Result<void, DeviceError> RoutedPort::open_senders() {
  auto v4 = open_sender(AF_INET, interface_);
  if (!v4) return fail(std::move(v4).error());
  send_v4_ = std::move(*v4);
  auto v6 = open_sender(AF_INET6, interface_);
  if (!v6) return {};  // a kernel without IPv6 has no IPv6 neighbours either
  const int whole = 1;
  setsockopt(v6->get(), SOL_IPV6, IPV6_HDRINCL, &whole, sizeof(whole));
  send_v6_ = std::move(*v6);
  return {};
}

RoutedPort::~RoutedPort() {
  if (netlink_ == nullptr || !kernel_interface_) return;
  for (const Prefix& address : added_addresses_)
    static_cast<void>(remove_address(netlink_->link().index, address));
}

std::unique_ptr<PortQueue> RoutedPort::queue_for_worker(std::uint16_t worker,
                                                        std::optional<std::uint16_t> rx_queue,
                                                        const std::atomic<const Facts*>& facts,
                                                        ControlRings& rings, WorkerStats& stats) {
  const bool first = rx_queue == 0;
  if (first) {
    Doorbell& bell = rings.worker_bell(worker);
    frames_.emplace("inside_frames", kRing, MbufRing::Producers::kOne, &bell);
    packets_.emplace("inside_packets", kRing, MbufRing::Producers::kOne, &bell);
  }
  return std::make_unique<RoutedQueue>(port_->queue_for_worker(worker, rx_queue),
                                       RoutedParts{.fib = fib_,
                                                   .facts = facts,
                                                   .rings = rings,
                                                   .stats = stats,
                                                   .worker = worker,
                                                   .mac = port_->mac(),
                                                   .mtu = mtu_,
                                                   .twin = twin_ != nullptr,
                                                   .frames = first ? &*frames_ : nullptr,
                                                   .packets = first ? &*packets_ : nullptr});
}

std::vector<RoutedPort::Source> RoutedPort::sources() {
  std::vector<Source> all{{netlink_->fd(), &RoutedPort::read_netlink},
                          {follower_->fd(), &RoutedPort::read_routes},
                          {local_fd_, &RoutedPort::read_local}};
  if (twin_ != nullptr) all.push_back({twin_->fd(), &RoutedPort::read_twin});
  return all;
}

void RoutedPort::take(PuntKind kind, ByteView bytes) {
  if (kind == PuntKind::kInsideFrame) {
    if (twin_ != nullptr) static_cast<void>(twin_->write(bytes));
    return;
  }
  if (kind == PuntKind::kInsideUnresolved) return send_by_kernel(bytes);
  rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
  if (mbuf == nullptr || bytes.size() > rte_pktmbuf_tailroom(mbuf)) {
    ++overflowed_;
    return rte_pktmbuf_free(mbuf);
  }
  std::ranges::copy(bytes, data_of(*mbuf));
  set_data(*mbuf, data_of(*mbuf), bytes.size());
  if (local_->transmit({&mbuf, 1}) == 1) return;
  ++overflowed_;
  rte_pktmbuf_free(mbuf);
}

// Best effort, as the kernel's own sending is.
void RoutedPort::send_by_kernel(ByteView packet) {
  const bool v4 = !wire::says_ipv6(packet.data());
  if (v4) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    std::ranges::copy(packet.subspan(offload::ipv4::kAddresses + 4, 4),
                      reinterpret_cast<std::byte*>(&to.sin_addr));  // NOLINT: the sockets API
    sendto(send_v4_.get(), packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&to),
           sizeof(to));  // NOLINT: the sockets API
    return;
  }
  sockaddr_in6 to{};
  to.sin6_family = AF_INET6;
  to.sin6_scope_id = static_cast<std::uint32_t>(netlink_->link().index);
  std::ranges::copy(packet.subspan(offload::ipv6::kAddresses + 16, 16),
                    reinterpret_cast<std::byte*>(&to.sin6_addr));  // NOLINT: the sockets API
  sendto(send_v6_.get(), packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&to),
         sizeof(to));  // NOLINT: the sockets API
}

// What the kernel sends on the twin leaves by the port.
void RoutedPort::read_twin() {
  for (unsigned i = 0; i < kRing; ++i) {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
    if (mbuf == nullptr) {
      ++overflowed_;
      return;
    }
    const auto size = twin_->read(
        {data_of(*mbuf), std::min<std::size_t>(rte_pktmbuf_tailroom(mbuf), mtu_ + kFrameSlack)});
    if (!size) return rte_pktmbuf_free(mbuf);
    set_data(*mbuf, data_of(*mbuf), *size);
    if (frames_->enqueue_burst({&mbuf, 1}) == 1) continue;
    ++overflowed_;
    rte_pktmbuf_free(mbuf);
  }
}

// What the kernel sends to overlay addresses goes into tunnels.
void RoutedPort::read_local() {
  std::array<rte_mbuf*, kBurst> packets;
  for (unsigned read = 0; read < kRing; read += kBurst) {
    const std::uint16_t count = local_->receive(packets);
    if (count == 0) return;
    const unsigned taken = packets_->enqueue_burst({packets.data(), count});
    overflowed_ += count - taken;
    rte_pktmbuf_free_bulk(packets.data() + taken, count - taken);
  }
}

}  // namespace magnetar
