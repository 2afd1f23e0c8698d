// SPDX-License-Identifier: Apache-2.0
// The inside through the kernel: a TUN device of our own, one queue a reader.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "dataplane/base/result.h"
#include "drivers/eal.h"
#include "drivers/net/inside_port.h"

struct rte_mempool;

namespace magnetar {

class TunPort : public InsidePort {
 public:
  // Creates, addresses and brings up the device. It goes away with this object, or the process.
  [[nodiscard]] static Result<std::unique_ptr<TunPort>, DeviceError> open(
      const InsideOptions& options, rte_mempool* pool);
  ~TunPort() override;
  [[nodiscard]] std::unique_ptr<PortQueue> queue_for_worker(std::uint16_t worker,
                                                            std::optional<std::uint16_t> rx_queue,
                                                            WorkerStats& stats) override;
  [[nodiscard]] std::uint16_t receive_queues() const override;
  [[nodiscard]] std::string_view backend() const override { return "tun"; }
  [[nodiscard]] const std::string& name() const override;
  [[nodiscard]] const std::string& offloads() const override;
  [[nodiscard]] std::string note() const override;
  [[nodiscard]] int link_index() const;
  [[nodiscard]] int fd() const;  // of the first queue, to poll for reading

 private:
  TunPort();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace magnetar
