// SPDX-License-Identifier: Apache-2.0
// The inside through vhost-net: the kernel's own threads move packets between a TAP of ours and
// rings in memory (DPDK's virtio_user), so that a worker makes no system call a packet.
//
//   worker == virtio ring == vhost thread == TAP "magnetar0" == the kernel's routing
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "dataplane/base/result.h"
#include "drivers/eal.h"
#include "drivers/net/ethdev_device.h"
#include "drivers/net/inside_port.h"

struct rte_mempool;

namespace magnetar {

struct VhostOptions {
  InsideOptions inside;
  std::uint16_t workers = 1;
  bool interrupts = false;  // workers would like to sleep until a packet comes
  // Or the socket of a vhost-user server. That one has its own way to an interface: the one of
  // this name must be there, and is addressed like ours.
  std::string path = "/dev/vhost-net";
};

class VhostPort : public InsidePort {
 public:
  // Creates, addresses and brings up the TAP. It goes away with this object, or the process. The
  // buffers of `pool` have to lie in DPDK's memory.
  [[nodiscard]] static Result<std::unique_ptr<VhostPort>, DeviceError> open(
      const VhostOptions& options, rte_mempool* pool);
  [[nodiscard]] std::unique_ptr<PortQueue> queue_for_worker(std::uint16_t worker,
                                                            std::optional<std::uint16_t> rx_queue,
                                                            WorkerStats& stats) override;
  [[nodiscard]] std::uint16_t receive_queues() const override { return device_->receive_queues(); }
  [[nodiscard]] std::string_view backend() const override { return "vhost"; }
  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] const std::string& offloads() const override { return offloads_; }
  [[nodiscard]] std::string note() const override { return note_; }
  [[nodiscard]] std::uint64_t rx_missed() const override { return device_->rx_missed(); }

 private:
  VhostPort(std::unique_ptr<EthdevDevice> device, const InsideOptions& options, rte_mempool* pool);
  [[nodiscard]] Result<void, DeviceError> set_up_link(const InsideOptions& options);

  std::unique_ptr<EthdevDevice> device_;
  rte_mempool* pool_;
  std::string name_;
  std::string offloads_;
  std::string note_;
  MacAddr mac_{};  // of the interface
};

}  // namespace magnetar
