// SPDX-License-Identifier: Apache-2.0
#include "controlplane/data_plane.h"

#include <algorithm>

#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include "controlplane/data_plane_memory.h"
#include "controlplane/tunnel/path_mtu.h"
#include "dataplane/base/check.h"
#include "drivers/net/tun_port.h"
#include "drivers/net/vhost_port.h"

namespace magnetar {
namespace {

constexpr const char* kTwinName = "magnetar-out";

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

template <typename From, typename To>
Result<void, DeviceError> keep(Result<From, DeviceError> opened, To& in) {
  if (!opened) return fail(std::move(opened).error());
  in = std::move(*opened);
  return {};
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
  const PacketPoolShape shape = packet_pool_shape(config_);
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
      .workers = static_cast<std::uint16_t>(config_.workers.cores.size()),
      .interrupts = config_.workers.idle == config::Idle::kAdaptive};
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
  InsideOptions options{.name = config_.inside.name,
                        .mtu = config_.inside.mtu,
                        .queues = std::min(config_.inside.queues, workers),
                        .offloads = config_.inside.offloads,
                        .addresses = config_.identity->widest().networks};
  grace_ = std::make_unique<Grace>(workers);
  if (config_.inside.port) return open_routed(std::move(options));
  if (config_.inside.vhost)
    return keep(VhostPort::open({.inside = std::move(options),
                                 .workers = workers,
                                 .interrupts = config_.workers.idle == config::Idle::kAdaptive},
                                pool_.get()),
                inside_);
  return keep(TunPort::open(options, pool_.get()), inside_);
}

// With a TUN device for the gateway's own addresses.
Result<void, DeviceError> DataPlane::open_routed(InsideOptions local) {
  constexpr std::uint16_t kOverhead = 80;  // of sealing, over IPv6
  local.mtu = std::min<std::uint16_t>(config_.inside.mtu, config_.outside.mtu - kOverhead);
  local.queues = 1;
  local.offloads = false;
  std::unique_ptr<TunPort> tun;
  if (auto done = keep(TunPort::open(local, pool_.get()), tun); !done) return done;
  TunPort& own = *tun;
  inside_ = std::move(tun);
  const auto workers = static_cast<std::uint16_t>(config_.workers.cores.size());
  const config::Port& port = *config_.inside.port;
  RoutedPortOptions options{.port = {.port = port.name,
                                     .mtu = config_.inside.mtu,
                                     .queues = std::min(config_.inside.queues, workers),
                                     .workers = workers,
                                     .interrupts = config_.workers.idle == config::Idle::kAdaptive},
                            .addresses = config_.inside.addresses};
  // The kernel would forward its own copy of what AF_PACKET receives, so that everything came
  // twice.
  const bool interface = port.kind == config::PortKind::kInterface;
  if (interface) options.port.backend = OutsideBackend::kAfXdp;
  for (const Prefix& network : config_.identity->widest().networks) {
    options.port.networks.push_back(network);
    options.port.own.push_back(network.addr);
  }
  auto routed = RoutedPort::open(options, own, pool_.get(), *grace_);
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
  if (config_.outside.probe_path_mtu) facts->least_path_mtu = PathMtu::kLeastIpv4;
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

std::optional<int> DataPlane::kernel_datagrams_fd() const {
  return kernel_datagrams_ == nullptr ? std::nullopt : std::optional(reservation_->fd());
}

std::uint64_t DataPlane::outside_missed() const {
  return outside_->counters().rx_missed +
         (kernel_datagrams_ == nullptr ? 0 : kernel_datagrams_->missed());
}

void DataPlane::reap_facts() {
  std::erase_if(old_facts_, [&](const auto& old) { return grace_->passed(old.first); });
}

}  // namespace magnetar
