// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/ethdev_device.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "dataplane/base/check.h"
#include "drivers/eal_log.h"

namespace magnetar {
namespace {

constexpr std::uint16_t kDescriptors = 1024;
// Should a driver lose an interrupt, this is what its packet is late.
constexpr int kLongestSleepMs = 20;

class EthdevQueue final : public PortQueue {
 public:
  EthdevQueue(std::uint16_t port_id, std::optional<std::uint16_t> rx_queue, std::uint16_t tx_queue,
              rte_spinlock_t* shared, RxInterrupt* interrupt, bool chains)
      : port_id_(port_id),
        rx_queue_(rx_queue),
        tx_queue_(tx_queue),
        shared_(shared),
        interrupt_(interrupt),
        chains_(chains) {}

  std::uint16_t receive(std::span<rte_mbuf*> into) override {
    if (!rx_queue_) return 0;
    const std::uint16_t got = rte_eth_rx_burst(port_id_, *rx_queue_, into.data(),
                                               static_cast<std::uint16_t>(into.size()));
    return chains_ ? got : keep_fitting(into.first(got));
  }

  std::uint16_t transmit(std::span<rte_mbuf*> packets) override {
    if (shared_ != nullptr) rte_spinlock_lock(shared_);
    const std::uint16_t put = rte_eth_tx_burst(port_id_, tx_queue_, packets.data(),
                                               static_cast<std::uint16_t>(packets.size()));
    if (shared_ != nullptr) rte_spinlock_unlock(shared_);
    return put;
  }

  [[nodiscard]] std::optional<int> readable_fd() const override {
    return interrupt_ != nullptr ? std::optional(interrupt_->fd()) : std::nullopt;
  }
  int arm() override {
    if (interrupt_ == nullptr) return kNoLimit;
    return interrupt_->enable() ? kLongestSleepMs : 0;
  }
  void disarm() override {
    if (interrupt_ != nullptr) interrupt_->disable();
  }

 private:
  // A driver fills a buffer to its end, or chains several: neither is a packet of our network,
  // whose MTU leaves room, so they are oversized and not for us.
  static std::uint16_t keep_fitting(std::span<rte_mbuf*> packets) {
    std::uint16_t kept = 0;
    for (rte_mbuf* packet : packets) {
      if (packet->nb_segs == 1 && rte_pktmbuf_tailroom(packet) >= kPortTailroom)
        packets[kept++] = packet;
      else
        rte_pktmbuf_free(packet);
    }
    return kept;
  }

  std::uint16_t port_id_;
  std::optional<std::uint16_t> rx_queue_;
  std::uint16_t tx_queue_;
  rte_spinlock_t* shared_;
  RxInterrupt* interrupt_;  // none: the queue has to be polled
  bool chains_;
};

DeviceError dpdk_error(const std::string& what, int result) {
  return DeviceError{what + ": " + eal_reason(std::strerror(std::abs(result)))};
}

std::uint64_t receive_offloads(const rte_eth_dev_info& info, const EthdevOptions& options) {
  constexpr std::uint64_t kChecksum = RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
  if (!options.chains) return 0;
  std::uint64_t wanted = RTE_ETH_RX_OFFLOAD_SCATTER;
  if ((info.rx_offload_capa & kChecksum) == kChecksum) {
    wanted |= kChecksum;
    // Which has to have its checksums unfinished.
    if (options.offloads) wanted |= RTE_ETH_RX_OFFLOAD_TCP_LRO;
  }
  return info.rx_offload_capa & wanted;
}

std::uint64_t transmit_offloads(const rte_eth_dev_info& info, const EthdevOptions& options) {
  constexpr std::uint64_t kMany =
      RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
  return options.offloads && (info.tx_offload_capa & kMany) == kMany ? kMany : 0;
}

rte_eth_conf configuration(const rte_eth_dev_info& info, std::uint16_t rx_queues,
                           const EthdevOptions& options) {
  rte_eth_conf conf{};
  conf.intr_conf.rxq = options.interrupts ? 1 : 0;
  conf.rxmode.offloads = receive_offloads(info, options);
  conf.txmode.offloads = transmit_offloads(info, options);
  constexpr std::uint64_t kSpread = RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP;
  const std::uint64_t hash = info.flow_type_rss_offloads & kSpread;
  if (rx_queues > 1 && hash != 0) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf = hash;
  }
  return conf;
}

}  // namespace

Result<std::unique_ptr<EthdevDevice>, DeviceError> EthdevDevice::open(const EthdevOptions& options,
                                                                      rte_mempool* pool) {
  forget_eal_reason();
  if (options.hotplug) {
    const int result = rte_eal_hotplug_add("vdev", options.name.c_str(), options.arguments.c_str());
    if (result != 0) return fail(dpdk_error("cannot open " + options.name, result));
  }
  std::uint16_t port_id = 0;
  if (rte_eth_dev_get_port_by_name(options.name.c_str(), &port_id) != 0)
    return fail(DeviceError{"DPDK has no device " + options.name +
                            ": dpdk-devbind.py --status lists those it may take"});
  // From here the destructor undoes what was done.
  std::unique_ptr<EthdevDevice> device(new EthdevDevice(port_id, options.hotplug, options.workers));
  auto started = device->start(options, pool);
  if (started && options.interrupts) device->open_interrupts();
  if (!started && options.interrupts) {
    // A driver refuses here what it has no interrupt vectors for.
    forget_eal_reason();
    EthdevOptions polled = options;
    polled.interrupts = false;
    started = device->start(polled, pool);
  }
  if (!started) return fail(std::move(started).error());
  if (options.interrupts)
    device->note_ = device->interrupts_.empty()
                        ? "no receive interrupts: idle workers look at it every 50 us"
                        : "idle workers wait for its receive interrupts";
  device->wait_for_link();
  return device;
}

Result<void, DeviceError> EthdevDevice::start(const EthdevOptions& options, rte_mempool* pool) {
  if (auto done = configure(options); !done) return done;
  if (auto done = set_up_queues(pool); !done) return done;
  if (const int result = rte_eth_dev_start(port_id_); result != 0)
    return fail(dpdk_error("cannot start " + options.name, result));
  return {};
}

// All queues or none: a worker can only sleep if each of its ports can wake it.
void EthdevDevice::open_interrupts() {
  for (std::uint16_t i = 0; i < rx_queues_; ++i) {
    interrupts_.push_back(RxInterrupt::open(port_id_, i));
    if (interrupts_.back()) continue;
    interrupts_.clear();
    return;
  }
}

Result<void, DeviceError> EthdevDevice::configure(const EthdevOptions& options) {
  rte_eth_dev_info info{};
  if (const int result = rte_eth_dev_info_get(port_id_, &info); result != 0)
    return fail(dpdk_error("cannot ask " + options.name + " what it can do", result));
  rx_queues_ =
      std::clamp<std::uint16_t>(options.queues, 1, std::max<std::uint16_t>(1, info.max_rx_queues));
  const auto tx_queues =
      std::clamp<std::uint16_t>(options.workers, 1, std::max<std::uint16_t>(1, info.max_tx_queues));
  tx_locks_.assign(tx_queues, rte_spinlock_t RTE_SPINLOCK_INITIALIZER);
  const rte_eth_conf conf = configuration(info, rx_queues_, options);
  chains_ = options.chains;
  in_force_ = {.receive_checksum = (conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_TCP_CKSUM) != 0,
               .receive_many = (conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO) != 0,
               .send_many = conf.txmode.offloads != 0};
  if (const int result = rte_eth_dev_configure(port_id_, rx_queues_, tx_queues, &conf); result != 0)
    return fail(dpdk_error("cannot configure " + options.name, result));
  if (options.mtu == 0) return {};
  const int result = rte_eth_dev_set_mtu(port_id_, options.mtu);
  if (result != 0 && result != -ENOTSUP)
    return fail(
        dpdk_error(options.name + ": mtu " + std::to_string(options.mtu) + " does not go", result));
  return {};
}

Result<void, DeviceError> EthdevDevice::set_up_queues(rte_mempool* pool) {
  const auto socket = static_cast<unsigned>(std::max(0, rte_eth_dev_socket_id(port_id_)));
  std::uint16_t rx = kDescriptors;
  std::uint16_t tx = kDescriptors;
  rte_eth_dev_adjust_nb_rx_tx_desc(port_id_, &rx, &tx);
  for (std::uint16_t i = 0; i < rx_queues_; ++i) {
    const int result = rte_eth_rx_queue_setup(port_id_, i, rx, socket, nullptr, pool);
    if (result != 0) return fail(dpdk_error("cannot set up a receive queue", result));
  }
  for (std::uint16_t i = 0; i < transmit_queues(); ++i) {
    const int result = rte_eth_tx_queue_setup(port_id_, i, tx, socket, nullptr);
    if (result != 0) return fail(dpdk_error("cannot set up a transmit queue", result));
  }
  return {};
}

// A cable may be out for days: a port without a link is opened all the same.
void EthdevDevice::wait_for_link() const {
  using std::chrono::milliseconds;
  for (milliseconds waited{0}; waited < milliseconds{500}; waited += milliseconds{10}) {
    rte_eth_link link{};
    if (rte_eth_link_get_nowait(port_id_, &link) != 0 || link.link_status == RTE_ETH_LINK_UP)
      return;
    std::this_thread::sleep_for(milliseconds{10});
  }
}

EthdevDevice::~EthdevDevice() {
  interrupts_.clear();  // the device forgets their descriptors before they are closed
  rte_eth_dev_info info{};
  const bool known = rte_eth_dev_info_get(port_id_, &info) == 0;
  rte_eth_dev_stop(port_id_);
  rte_eth_dev_close(port_id_);
  if (hotplugged_ && known) rte_dev_remove(info.device);
}

std::unique_ptr<PortQueue> EthdevDevice::queue(std::uint16_t worker,
                                               std::optional<std::uint16_t> rx_queue) {
  MAGNETAR_CHECK(!rx_queue || *rx_queue < rx_queues_);
  const auto tx_queue = static_cast<std::uint16_t>(worker % transmit_queues());
  rte_spinlock_t* shared = workers_ > transmit_queues() ? &tx_locks_[tx_queue] : nullptr;
  RxInterrupt* interrupt =
      rx_queue && !interrupts_.empty() ? interrupts_[*rx_queue].get() : nullptr;
  return std::make_unique<EthdevQueue>(port_id_, rx_queue, tx_queue, shared, interrupt, chains_);
}

MacAddr EthdevDevice::mac() const {
  rte_ether_addr address{};
  rte_eth_macaddr_get(port_id_, &address);
  MacAddr mac;
  std::memcpy(mac.data(), address.addr_bytes, mac.size());
  return mac;
}

std::uint64_t EthdevDevice::rx_missed() const {
  rte_eth_stats stats{};
  if (rte_eth_stats_get(port_id_, &stats) != 0) return 0;
  return stats.imissed + stats.rx_nombuf;
}

}  // namespace magnetar
