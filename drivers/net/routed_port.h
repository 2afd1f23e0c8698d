// SPDX-License-Identifier: Apache-2.0
// A port as inside, whole: the device, what stands for it in the kernel, the kernel's routes, and
// what crosses between workers and the kernel. Control thread, but for the queues.
//
//   workers ==== port (DPDK, or AF_XDP on a kernel interface)
//      |           |
//      |      twin "magnetar-in", or the interface itself: ARP, BGP, addresses, routes
//      |
//   TUN "magnetar0": the overlay addresses of the gateway itself
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drivers/net/netlink.h"
#include "drivers/net/os_error.h"
#include "drivers/net/port.h"
#include "drivers/net/route_follower.h"
#include "drivers/net/routed_queue.h"
#include "drivers/net/tun_port.h"
#include "drivers/net/twin.h"

namespace magnetar {

struct RoutedPortOptions {
  OutsidePortOptions port;        // its networks and own addresses among them
  std::vector<Prefix> addresses;  // set on the twin, or on the interface
};

class RoutedPort {
 public:
  // `local` carries the packets of the gateway's own overlay addresses. It, the pool and `grace`
  // must outlive this object.
  [[nodiscard]] static Result<std::unique_ptr<RoutedPort>, DeviceError> open(
      const RoutedPortOptions& options, TunPort& local, rte_mempool* pool, Grace& grace);
  ~RoutedPort();
  RoutedPort(const RoutedPort&) = delete;
  RoutedPort& operator=(const RoutedPort&) = delete;

  // The view of one worker; that of receive queue 0 takes what the kernel sends.
  [[nodiscard]] std::unique_ptr<PortQueue> queue_for_worker(std::uint16_t worker,
                                                            std::optional<std::uint16_t> rx_queue,
                                                            const std::atomic<const Facts*>& facts,
                                                            ControlRings& rings,
                                                            WorkerStats& stats);

  // To poll for reading, and what to do then.
  struct Source {
    int fd;
    void (RoutedPort::*process)();
  };
  [[nodiscard]] std::vector<Source> sources();
  void on_second() { follower_->check_neighbours(); }
  // A packet of one of the kinds kInside..., as a worker left it.
  void take(PuntKind kind, ByteView bytes);

  [[nodiscard]] OutsidePort& port() { return *port_; }
  [[nodiscard]] Netlink& netlink() { return *netlink_; }
  [[nodiscard]] const std::string& interface() const { return interface_; }  // in the kernel
  [[nodiscard]] std::size_t routes() const { return fib_.routes(); }
  // Packets of the kernel's that found no buffer or no place.
  [[nodiscard]] std::uint64_t overflowed() const { return overflowed_; }

 private:
  RoutedPort(const RoutedPortOptions& options, TunPort& local, rte_mempool* pool, Grace& grace);
  [[nodiscard]] Result<void, DeviceError> open_kernel_side(const RoutedPortOptions& options);
  [[nodiscard]] Result<void, DeviceError> open_senders();
  void read_twin();
  void read_local();
  void read_netlink() { netlink_->process(); }
  void read_routes() { follower_->process(); }
  void send_by_kernel(ByteView packet);

  rte_mempool* pool_;
  std::uint16_t mtu_;
  bool kernel_interface_;
  std::unique_ptr<OutsidePort> port_;
  std::unique_ptr<Twin> twin_;
  std::string interface_;
  std::unique_ptr<Netlink> netlink_;
  std::vector<Prefix> added_addresses_;  // ours to take away again
  Fib fib_;
  std::unique_ptr<RouteFollower> follower_;
  WorkerStats local_stats_;  // the pipelines count these packets where they come in and go out
  int local_fd_;
  std::unique_ptr<PortQueue> local_;
  UniqueFd send_v4_;
  UniqueFd send_v6_;
  std::optional<MbufRing> frames_;  // there when queue 0 has its worker
  std::optional<MbufRing> packets_;
  std::uint64_t overflowed_ = 0;
};

}  // namespace magnetar
