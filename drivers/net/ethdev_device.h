// SPDX-License-Identifier: Apache-2.0
// A device over any DPDK ethdev.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <rte_spinlock.h>

#include "dataplane/base/result.h"
#include "drivers/eal.h"
#include "drivers/net/outside_device.h"
#include "drivers/net/rx_interrupt.h"

struct rte_mempool;

namespace magnetar {

struct EthdevOptions {
  std::string name;       // "0000:3b:00.0", "net_memif0"
  std::string arguments;  // of a vdev, "role=client,..."
  bool hotplug = false;   // a vdev to attach now and detach at the end; else the EAL has it
  std::uint16_t mtu = 0;  // to set on the device; 0: leave it alone
  std::uint16_t queues = 1;
  std::uint16_t workers = 1;
  bool interrupts = false;  // workers would like to sleep until a packet comes
  // For a caller that looks at each buffer: what is longer than one comes as a chain of them, and
  // checksums may be unfinished, as mbuf.h says it.
  bool chains = false;
  // With chains: as far as the driver can, TCP comes and goes as many packets in one (LRO, TSO).
  bool offloads = false;
};

struct EthdevOffloads {
  bool receive_checksum = false;
  bool receive_many = false;
  bool send_many = false;
};

class EthdevDevice : public OutsideDevice {
 public:
  [[nodiscard]] static Result<std::unique_ptr<EthdevDevice>, DeviceError> open(
      const EthdevOptions& options, rte_mempool* pool);
  ~EthdevDevice() override;
  EthdevDevice(const EthdevDevice&) = delete;
  EthdevDevice& operator=(const EthdevDevice&) = delete;

  std::unique_ptr<PortQueue> queue(std::uint16_t worker,
                                   std::optional<std::uint16_t> rx_queue) override;
  [[nodiscard]] MacAddr mac() const override;
  [[nodiscard]] std::uint16_t receive_queues() const override { return rx_queues_; }
  [[nodiscard]] std::uint16_t transmit_queues() const override {
    return static_cast<std::uint16_t>(tx_locks_.size());
  }
  [[nodiscard]] std::uint64_t rx_missed() const override;
  [[nodiscard]] std::string note() const override { return note_; }
  [[nodiscard]] const EthdevOffloads& in_force() const { return in_force_; }

 private:
  EthdevDevice(std::uint16_t port_id, bool hotplugged, std::uint16_t workers)
      : port_id_(port_id), hotplugged_(hotplugged), workers_(workers) {}
  Result<void, DeviceError> start(const EthdevOptions& options, rte_mempool* pool);
  Result<void, DeviceError> configure(const EthdevOptions& options);
  Result<void, DeviceError> set_up_queues(rte_mempool* pool);
  void open_interrupts();
  void wait_for_link() const;

  std::uint16_t port_id_;
  bool hotplugged_;
  std::uint16_t workers_;
  std::uint16_t rx_queues_ = 0;
  bool chains_ = false;
  EthdevOffloads in_force_;
  std::vector<rte_spinlock_t> tx_locks_;  // one a transmit queue, taken when workers share it
  std::vector<std::unique_ptr<RxInterrupt>> interrupts_;  // of all receive queues, or empty
  std::string note_;
};

}  // namespace magnetar
