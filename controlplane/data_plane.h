// SPDX-License-Identifier: Apache-2.0
// The data plane as the daemon runs it: pool, tables, ports, workers on their cores. Built in one
// go, torn down in reverse. Control thread.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <vector>

#include "controlplane/config/schema.h"
#include "dataplane/spread.h"
#include "dataplane/worker.h"
#include "drivers/eal.h"
#include "drivers/net/inside_port.h"
#include "drivers/net/kernel_datagrams.h"
#include "drivers/net/netlink.h"
#include "drivers/net/port.h"
#include "drivers/net/routed_port.h"
#include "drivers/net/twin.h"

namespace magnetar {

struct MempoolDeleter {
  void operator()(rte_mempool* pool) const;
};

class DataPlane {
 public:
  [[nodiscard]] static Result<std::unique_ptr<DataPlane>, DeviceError> open(
      const config::Config& config);
  ~DataPlane();  // stops the workers
  DataPlane(const DataPlane&) = delete;
  DataPlane& operator=(const DataPlane&) = delete;

  void start();  // the workers begin to poll
  void stop();   // they end their last round
  // The underlay addresses or the link have changed.
  void refresh_facts();
  // From now on; for inside.clamp_mss.
  void set_clamp_mss(bool clamp);
  // Frees facts that no worker looks at any more.
  void reap_facts();

  [[nodiscard]] std::uint16_t workers() const { return static_cast<std::uint16_t>(lanes_.size()); }
  [[nodiscard]] const WorkerStats& stats(std::size_t worker) const { return lanes_[worker]->stats; }
  [[nodiscard]] unsigned core(std::size_t worker) const { return config_.workers.cores[worker]; }
  [[nodiscard]] bool hugepages() const { return eal_.hugepages(); }
  [[nodiscard]] const std::string& fallback_reason() const { return fallback_reason_; }

  [[nodiscard]] SessionTable& sessions() { return *sessions_; }
  [[nodiscard]] RouteTable& routes() { return *routes_; }
  [[nodiscard]] ControlRings& rings() { return *rings_; }
  [[nodiscard]] rte_mempool* pool() { return pool_.get(); }
  [[nodiscard]] Netlink& netlink() { return *netlink_; }
  [[nodiscard]] OutsidePort& outside() { return *outside_; }
  [[nodiscard]] InsidePort& inside() { return *inside_; }
  // The inside when it is a port; inside() is for the gateway's own addresses then.
  [[nodiscard]] RoutedPort* routed() { return routed_.get(); }
  [[nodiscard]] PortReservation& reservation() { return *reservation_; }
  [[nodiscard]] Twin* twin() { return twin_.get(); }
  // Readable when there is something for take_kernel_datagrams(); none: the kernel keeps nothing
  // for us.
  [[nodiscard]] std::optional<int> kernel_datagrams_fd() const;
  void take_kernel_datagrams() { kernel_datagrams_->process(*facts_.load()); }
  // Of the outside port: lost before a worker took it.
  [[nodiscard]] std::uint64_t outside_missed() const;

 private:
  // What one worker owns.
  struct Lane {
    std::unique_ptr<PortQueue> outside;
    std::unique_ptr<PortQueue> inside;
    std::unique_ptr<Aead> aead;
    WorkerStats stats;
    std::unique_ptr<Worker> worker;
  };

  DataPlane(const config::Config& config, Eal eal) : config_(config), eal_(std::move(eal)) {}
  [[nodiscard]] Result<void, DeviceError> open_pool();
  [[nodiscard]] Result<void, DeviceError> open_outside();
  [[nodiscard]] Result<void, DeviceError> open_kernel_side();
  [[nodiscard]] Result<void, DeviceError> open_inside();
  [[nodiscard]] Result<void, DeviceError> open_routed(InsideOptions local);
  void make_workers();
  void join_kernel_datagrams();
  void spread(std::unique_ptr<PortQueue> Lane::*port, SideStats WorkerStats::*side,
              SpreadingQueue::Flow flow, std::uint16_t first, std::uint16_t queues);
  [[nodiscard]] std::unique_ptr<const Facts> make_facts() const;

  config::Config config_;
  Eal eal_;
  std::unique_ptr<rte_mempool, MempoolDeleter> pool_;
  std::string fallback_reason_;  // what was tried before the backend, and why it was not taken
  std::unique_ptr<OutsidePort> outside_;
  std::unique_ptr<Twin> twin_;
  std::unique_ptr<Netlink> netlink_;
  std::vector<Prefix> added_addresses_;  // ours to take away again
  std::optional<PortReservation> reservation_;
  std::unique_ptr<Grace> grace_;
  std::unique_ptr<InsidePort> inside_;
  std::unique_ptr<RoutedPort> routed_;
  std::unique_ptr<SessionTable> sessions_;
  std::unique_ptr<RouteTable> routes_;
  std::unique_ptr<ControlRings> rings_;
  std::deque<MbufRing> spread_rings_;  // the lanes know where each is
  std::optional<MbufRing> joined_ring_;
  std::unique_ptr<KernelDatagrams> kernel_datagrams_;
  std::atomic<const Facts*> facts_{nullptr};
  std::vector<std::pair<Grace::Token, std::unique_ptr<const Facts>>> old_facts_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  bool running_ = false;
};

}  // namespace magnetar
