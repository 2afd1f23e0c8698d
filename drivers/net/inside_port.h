// SPDX-License-Identifier: Apache-2.0
// The inside as an interface in the kernel that is ours: a TUN device, or vhost-net's TAP.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/addr.h"
#include "dataplane/port.h"
#include "dataplane/stats.h"

namespace magnetar {

struct InsideOptions {
  std::string name = "magnetar0";
  std::uint16_t mtu = 1300;
  std::uint16_t queues = 1;
  bool offloads = true;           // many packets in one, where the kernel can
  std::vector<Prefix> addresses;  // set on the device; the kernel adds their networks as routes
};

class InsidePort {
 public:
  virtual ~InsidePort() = default;
  // The view of one worker; `rx_queue` none: this worker only writes. Valid as long as *this and
  // the worker's `stats`.
  [[nodiscard]] virtual std::unique_ptr<PortQueue> queue_for_worker(
      std::uint16_t worker, std::optional<std::uint16_t> rx_queue, WorkerStats& stats) = 0;
  [[nodiscard]] virtual std::uint16_t receive_queues() const = 0;
  [[nodiscard]] virtual std::string_view backend() const = 0;     // as in the configuration
  [[nodiscard]] virtual const std::string& name() const = 0;      // as the kernel has it
  [[nodiscard]] virtual const std::string& offloads() const = 0;  // in force, as text
  [[nodiscard]] virtual std::string note() const = 0;             // what would be faster, and how
  [[nodiscard]] virtual std::uint64_t rx_missed() const { return 0; }  // before a worker took it
};

inline constexpr const char* kOffloadsAreOff =
    "many packets at once are faster: inside.offloads = true";

}  // namespace magnetar
