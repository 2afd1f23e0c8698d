// SPDX-License-Identifier: Apache-2.0
#include "controlplane/data_plane.h"

#include <algorithm>
#include <bit>

#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include "dataplane/base/check.h"
#include "dataplane/joined_queue.h"
#include "dataplane/packet/pool.h"
#include "dataplane/wire/flow.h"
#include "drivers/crypto/ipsec_mb.h"

namespace magnetar {
namespace {

constexpr unsigned kSpreadRing = 1024;
constexpr unsigned kPuntRing = 1024;  // of each kind
constexpr unsigned kTransmitRing = 1024;
constexpr unsigned kJoinedRing = 256;
constexpr unsigned kMbufsBase = 8192;      // rings and bursts in flight
constexpr unsigned kMbufsPerQueue = 8192;  // descriptors of a queue pair, both ways
constexpr unsigned kPoolCache = 256;
constexpr const char* kTwinName = "magnetar-out";

std::uint16_t data_room(const config::Config& config) {
  return packet_data_room(std::max(config.outside.mtu, config.inside.mtu));
}

unsigned mbufs_of(const config::Config& config) {
  const auto workers = static_cast<unsigned>(config.workers.cores.size());
  const unsigned inside =
      config.inside.port ? std::max<unsigned>(workers, config.inside.queues) : 0;
  return kMbufsBase +
         kMbufsPerQueue * (std::max<unsigned>(workers, config.outside.queues) + inside);
}

// Of DPDK's memory: packets, and rings within the rest. Sessions and routes lie in memory of their
// own (dataplane/base/huge_memory.h), which takes none of the huge pages set aside.
std::uint32_t memory_mib(const config::Config& config) {
  const std::uint64_t mbuf = sizeof(rte_mbuf) + kMbufPrivateSize + data_room(config) + 64;
  return static_cast<std::uint32_t>(mbuf * mbufs_of(config) / (1024 * 1024) + 64);
}

// So that nobody looks for packet buffers in DPDK's memory.
bool all_ports_are_the_kernels(const config::Config& config) {
  constexpr auto kInterface = config::PortKind::kInterface;
  return config.outside.kind == kInterface &&
         (!config.inside.port || config.inside.port->kind == kInterface);
}

EalOptions eal_options(const config::Config& config) {
  EalOptions options;
  options.worker_cores = config.workers.cores;
  options.control_core = config.workers.control_core;
  options.memory = static_cast<EalMemory>(config.workers.memory);
  options.memory_mib = memory_mib(config);
  std::vector<config::Port> ports{{config.outside.kind, config.outside.port}};
  if (config.inside.port) ports.push_back(*config.inside.port);
  for (const config::Port& port : ports) {
    if (port.kind == config::PortKind::kPci) options.pci.push_back(port.name);
    options.single_file_segments |=
        port.name.starts_with("net_memif") || port.name.starts_with("net_virtio_user");
  }
  return options;
}
static_assert(static_cast<int>(config::Memory::kAuto) == static_cast<int>(EalMemory::kAuto) &&
              static_cast<int>(config::Memory::kOrdinary) ==
                  static_cast<int>(EalMemory::kOrdinary));

struct Candidate {
  OutsideBackend backend;
  bool zero_copy_only = false;
};

// What to try, the fastest first.
std::vector<Candidate> candidates(const config::Outside& outside) {
  using enum OutsideBackend;
  if (outside.kind != config::PortKind::kInterface) return {{kEthdev}};
  switch (outside.backend) {
    case config::Backend::kAfXdp:
      return {{kAfXdp}};
    case config::Backend::kUdp:
      return {{kUdp}};
    case config::Backend::kAfPacket:
      return {{kAfPacket}};
    case config::Backend::kAuto:
      break;
  }
  // The kernel's routes do not know a gateway of the configuration.
  if (!outside.gateways.empty()) return {{kAfXdp}, {kAfPacket}};
  return {{kAfXdp, true}, {kUdp}, {kAfXdp}, {kAfPacket}};
}

int worker_main(void* worker) {
  static_cast<Worker*>(worker)->run();
  return 0;
}

}  // namespace

void MempoolDeleter::operator()(rte_mempool* pool) const { rte_mempool_free(pool); }

Result<std::unique_ptr<DataPlane>, DeviceError> DataPlane::open(const config::Config& config) {
  auto eal = Eal::start(eal_options(config));
  if (!eal) return fail(std::move(eal).error());
  std::unique_ptr<DataPlane> plane(new DataPlane(config, std::move(*eal)));
  for (const auto step : {&DataPlane::open_pool, &DataPlane::open_outside,
                          &DataPlane::open_kernel_side, &DataPlane::open_inside}) {
    if (auto done = (plane.get()->*step)(); !done) return fail(std::move(done).error());
  }
  plane->make_workers();
  return plane;
}

Result<void, DeviceError> DataPlane::open_pool() {
  const unsigned count = mbufs_of(config_) - 1;  // 2^n - 1 wastes least, and this is close
  const PacketPoolShape shape{.name = "magnetar_packets",
                              .mbufs = count,
                              .cache = kPoolCache,
                              .data_room = data_room(config_)};
  const bool packed = !eal_.hugepages() && all_ports_are_the_kernels(config_);
  pool_.reset(packed ? make_packed_packet_pool(shape) : make_packet_pool(shape));
  if (pool_ == nullptr)
    return fail(DeviceError{std::string("no memory for packets: ") + rte_strerror(rte_errno) +
                            "; more hugepages (sysctl vm.nr_hugepages) or workers.memory = "
                            "\"ordinary\" would mend it"});
  return {};
}

Result<void, DeviceError> DataPlane::open_outside() {
  const config::Outside& outside = config_.outside;
  OutsidePortOptions options{
      .port = outside.port,
      .listen_port = outside.listen_port,
      .mtu = outside.mtu,
      .queues = std::min(outside.queues, static_cast<std::uint16_t>(config_.workers.cores.size())),
      .workers = static_cast<std::uint16_t>(config_.workers.cores.size())};
  DeviceError refusal;
  for (const Candidate& candidate : candidates(outside)) {
    options.backend = candidate.backend;
    options.zero_copy_only = candidate.zero_copy_only;
    auto port = OutsidePort::open(options, pool_.get());
    if (port) {
      outside_ = std::move(*port);
      return {};
    }
    refusal = std::move(port).error();
    if (!fallback_reason_.empty()) fallback_reason_ += "; ";
    fallback_reason_ += std::string(backend_name(candidate.backend)) + ": " + refusal.what;
  }
  return fail(std::move(refusal));
}

// The interface in the kernel that stands for the port: itself, or a twin.
Result<void, DeviceError> DataPlane::open_kernel_side() {
  std::string name = config_.outside.port;
  if (config_.outside.kind != config::PortKind::kInterface) {
    auto twin = Twin::open(kTwinName, outside_->mac(), config_.outside.mtu);
    if (!twin) return fail(std::move(twin).error());
    twin_ = std::move(*twin);
    name = twin_->name();
  }
  auto netlink = Netlink::open(name);
  if (!netlink) return fail(std::move(netlink).error());
  netlink_ = std::move(*netlink);
  for (const Prefix& address : config_.outside.addresses) {
    if (std::ranges::find(netlink_->addresses(), address) != netlink_->addresses().end()) continue;
    if (auto added = add_address(netlink_->link().index, address); !added)
      return fail(std::move(added).error());
    added_addresses_.push_back(address);
  }
  netlink_->process();
  const std::uint16_t port = config_.outside.listen_port;
  auto reservation = outside_->by_sockets()        ? PortReservation::join(port, name)
                     : outside_->kernel_has_rest() ? PortReservation::receive(port, name)
                                                   : PortReservation::bind(port);
  if (!reservation) return fail(std::move(reservation).error());
  reservation_.emplace(std::move(*reservation));
  return {};
}

Result<void, DeviceError> DataPlane::open_inside() {
  const auto workers = static_cast<std::uint16_t>(config_.workers.cores.size());
  TunOptions options{.name = config_.inside.name,
                     .mtu = config_.inside.mtu,
                     .queues = std::min(config_.inside.queues, workers),
                     .offloads = config_.inside.offloads,
                     .addresses = config_.identity->widest().networks};
  if (config_.inside.port) {
    constexpr std::uint16_t kOverhead = 80;  // of sealing, over IPv6
    options.mtu = std::min<std::uint16_t>(config_.inside.mtu, config_.outside.mtu - kOverhead);
    options.queues = 1;
    options.offloads = false;
  }
  auto inside = TunPort::open(options, pool_.get());
  if (!inside) return fail(std::move(inside).error());
  inside_ = std::move(*inside);
  grace_ = std::make_unique<Grace>(workers);
  return config_.inside.port ? open_routed() : Result<void, DeviceError>{};
}

Result<void, DeviceError> DataPlane::open_routed() {
  const auto workers = static_cast<std::uint16_t>(config_.workers.cores.size());
  const config::Port& port = *config_.inside.port;
  RoutedPortOptions options{.port = {.port = port.name,
                                     .mtu = config_.inside.mtu,
                                     .queues = std::min(config_.inside.queues, workers),
                                     .workers = workers},
                            .addresses = config_.inside.addresses};
  // The kernel would forward its own copy of what AF_PACKET receives, so that everything came
  // twice.
  const bool interface = port.kind == config::PortKind::kInterface;
  if (interface) options.port.backend = OutsideBackend::kAfXdp;
  for (const Prefix& network : config_.identity->widest().networks) {
    options.port.networks.push_back(network);
    options.port.own.push_back(network.addr);
  }
  auto routed = RoutedPort::open(options, *inside_, pool_.get(), *grace_);
  if (!routed) {
    DeviceError error = std::move(routed).error();
    if (interface)
      error.what +=
          "; an interface is taken as inside by AF_XDP alone: mend that, give the "
          "interface to DPDK, or take inside.device = \"tun\" and let the kernel route";
    return fail(std::move(error));
  }
  routed_ = std::move(*routed);
  return {};
}

// Receive queues are dealt out one after the other, outside's first, so that two workers with a
// queue each side share the work.
void DataPlane::make_workers() {
  const auto count = static_cast<std::uint16_t>(config_.workers.cores.size());
  const std::uint16_t outside_queues = outside_->receive_queues();
  const std::uint16_t inside_queues = routed_ != nullptr ? routed_->port().receive_queues()
                                                         : std::min(config_.inside.queues, count);
  const auto dealt = [count](std::uint16_t worker, std::uint16_t first,
                             std::uint16_t queues) -> std::optional<std::uint16_t> {
    for (std::uint16_t queue = 0; queue < queues; ++queue)
      if ((first + queue) % count == worker) return queue;
    return std::nullopt;
  };
  const std::uint32_t slots = std::bit_ceil(config_.tunnels.max);
  sessions_ = std::make_unique<SessionTable>(slots, *grace_);
  routes_ = std::make_unique<RouteTable>(slots, *grace_);
  rings_ = std::make_unique<ControlRings>(count, kPuntRing, kTransmitRing);
  facts_ = make_facts().release();
  const IdlePolicy idle =
      config_.workers.idle == config::Idle::kPoll ? IdlePolicy::kPoll : IdlePolicy::kAdaptive;
  for (std::uint16_t i = 0; i < count; ++i) {
    auto lane = std::make_unique<Lane>();
    lane->outside = outside_->queue_for_worker(i, dealt(i, 0, outside_queues));
    const auto queue = dealt(i, outside_queues, inside_queues);
    lane->inside = routed_ != nullptr
                       ? routed_->queue_for_worker(i, queue, facts_, *rings_, lane->stats)
                       : inside_->queue_for_worker(i, queue, lane->stats);
    lanes_.push_back(std::move(lane));
  }
  if (outside_->kernel_has_rest()) join_kernel_datagrams();
  spread(&Lane::outside, &WorkerStats::outside, wire::outside_flow, 0, outside_queues);
  spread(&Lane::inside, &WorkerStats::inside, wire::inner_flow, outside_queues, inside_queues);
  for (std::uint16_t i = 0; i < count; ++i) {
    Lane* const lane = lanes_[i].get();
    lane->aead = make_ipsec_mb(config_.tunnels.cipher);
    lane->worker = std::make_unique<Worker>(
        WorkerContext{i, *lane->outside, *lane->inside, *sessions_, *routes_, facts_, *lane->aead,
                      *rings_, lane->stats, count == 1},
        *grace_, idle);
  }
}

// To worker 0, which has a queue of the outside whatever the device gave, and deals them out where
// it does so with that queue's.
void DataPlane::join_kernel_datagrams() {
  joined_ring_.emplace("kernel_datagrams", kJoinedRing, MbufRing::Producers::kOne,
                       &rings_->worker_bell(0));
  std::unique_ptr<PortQueue>& queue = lanes_[0]->outside;
  queue = std::make_unique<JoinedQueue>(std::move(queue), *joined_ring_);
  kernel_datagrams_ = std::make_unique<KernelDatagrams>(
      reservation_->fd(), config_.outside.listen_port, outside_->mac(), pool_.get(), *joined_ring_);
}

std::optional<int> DataPlane::kernel_datagrams_fd() const {
  return kernel_datagrams_ == nullptr ? std::nullopt : std::optional(reservation_->fd());
}

std::uint64_t DataPlane::outside_missed() const {
  return outside_->counters().rx_missed +
         (kernel_datagrams_ == nullptr ? 0 : kernel_datagrams_->missed());
}

// A worker without a queue of a side is fed by one that has one, so that both directions of few
// queues keep all workers busy.
void DataPlane::spread(std::unique_ptr<PortQueue> Lane::*port, SideStats WorkerStats::*side,
                       SpreadingQueue::Flow flow, std::uint16_t first, std::uint16_t queues) {
  const auto count = static_cast<std::uint16_t>(lanes_.size());
  std::vector<std::vector<MbufRing*>> fed(queues);
  for (std::uint16_t k = queues; k < count; ++k) {
    const unsigned worker = (first + k) % count;
    Doorbell& bell = rings_->worker_bell(worker);
    MbufRing& ring =
        spread_rings_.emplace_back("spread", kSpreadRing, MbufRing::Producers::kOne, &bell);
    fed[k % queues].push_back(&ring);
    std::unique_ptr<PortQueue>& queue = *lanes_[worker].*port;
    queue = std::make_unique<FedQueue>(std::move(queue), ring, bell);
  }
  for (std::uint16_t k = 0; k < queues; ++k) {
    if (fed[k].empty()) continue;
    Lane& lane = *lanes_[(first + k) % count];
    lane.*port = std::make_unique<SpreadingQueue>(std::move(lane.*port), flow, std::move(fed[k]),
                                                  lane.stats, lane.stats.*side);
  }
}

void DataPlane::start() {
  for (unsigned i = 0; i < lanes_.size(); ++i)
    MAGNETAR_CHECK(rte_eal_remote_launch(worker_main, lanes_[i]->worker.get(), 1 + i) == 0);
  running_ = true;
}

void DataPlane::stop() {
  for (const auto& lane : lanes_) lane->worker->stop();
  if (running_) rte_eal_mp_wait_lcore();
  running_ = false;
}

DataPlane::~DataPlane() {
  stop();
  lanes_.clear();
  delete facts_.load();
  for (const Prefix& address : added_addresses_)
    if (netlink_ != nullptr && twin_ == nullptr)
      static_cast<void>(remove_address(netlink_->link().index, address));
}

std::unique_ptr<const Facts> DataPlane::make_facts() const {
  auto facts = std::make_unique<Facts>();
  for (const Prefix& address : netlink_->addresses()) facts->underlay.add(address.addr);
  facts->listen_port = config_.outside.listen_port;
  facts->outside_mtu = config_.outside.mtu;
  facts->clamp_mss = config_.inside.clamp_mss;
  facts->kernel_wants_rest = twin_ != nullptr;
  const pki::Certificate& own = config_.identity->widest();
  for (const Prefix& network : own.networks) facts->add_overlay(network);
  for (const Prefix& network : own.unsafe_networks) facts->local.add(network);
  if (routed_ == nullptr) return facts;
  // The interface's addresses come in this order: IPv4, IPv6, then link-local ones.
  for (const Prefix& address : routed_->netlink().addresses()) {
    IpAddr& speaker = address.addr.is_v4() ? facts->port_v4 : facts->port_v6;
    if (speaker.is_unspecified()) speaker = address.addr;
  }
  return facts;
}

void DataPlane::refresh_facts() {
  std::unique_ptr<const Facts> old{
      facts_.exchange(make_facts().release(), std::memory_order_acq_rel)};
  old_facts_.emplace_back(grace_->start(), std::move(old));
}

void DataPlane::set_clamp_mss(bool clamp) {
  if (clamp == config_.inside.clamp_mss) return;
  config_.inside.clamp_mss = clamp;
  refresh_facts();
}

void DataPlane::reap_facts() {
  std::erase_if(old_facts_, [&](const auto& old) { return grace_->passed(old.first); });
}

}  // namespace magnetar
