// SPDX-License-Identifier: Apache-2.0
// The inside through the kernel: a TUN device of our own, one queue a reader.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/base/addr.h"
#include "dataplane/base/result.h"
#include "dataplane/port.h"
#include "dataplane/stats.h"
#include "drivers/eal.h"

struct rte_mempool;

namespace magnetar {

struct TunOptions {
  std::string name = "magnetar0";
  std::uint16_t mtu = 1300;
  std::uint16_t queues = 1;
  bool offloads = true;           // many packets a system call, where the kernel can
  std::vector<Prefix> addresses;  // set on the device; the kernel adds their networks as routes
};

class TunPort {
 public:
  // Creates, addresses and brings up the device. It goes away with this object, or the process.
  [[nodiscard]] static Result<std::unique_ptr<TunPort>, DeviceError> open(const TunOptions& options,
                                                                          rte_mempool* pool);
  ~TunPort();
  // The view of one worker; `rx_queue` none: this worker only writes. Valid as long as *this and
  // the worker's `stats`.
  [[nodiscard]] std::unique_ptr<PortQueue> queue_for_worker(std::uint16_t worker,
                                                            std::optional<std::uint16_t> rx_queue,
                                                            WorkerStats& stats);
  [[nodiscard]] const std::string& name() const;      // as the kernel chose it
  [[nodiscard]] const std::string& offloads() const;  // in force, as text
  [[nodiscard]] std::string note() const;             // what would be faster, and how to get it
  [[nodiscard]] int link_index() const;
  [[nodiscard]] int fd() const;  // of the first queue, to poll for reading

 private:
  TunPort();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace magnetar
