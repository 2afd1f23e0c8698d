// SPDX-License-Identifier: Apache-2.0
// Serves /metrics to Prometheus over HTTP, on threads of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "controlplane/ops/snapshot.h"
#include "dataplane/base/addr.h"
#include "dataplane/base/result.h"

namespace magnetar::ops {

class MetricsServer {
 public:
  // Called on a thread of the server, one scrape at a time. None: no metrics this time (the control
  // thread did not answer); the scrape then holds the server's own counters only.
  using Provider = std::function<std::optional<Snapshot>()>;

  // Binds `listen` (port 0: any free one). The error says which address and why.
  [[nodiscard]] static Result<std::unique_ptr<MetricsServer>, std::string> start(
      const UnderlayAddr& listen, Provider provider);

  // Waits for a scrape that is under way: `provider` may not wait for this thread for ever.
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  // The port it listens on.
  [[nodiscard]] std::uint16_t port() const;

 private:
  struct Impl;
  explicit MetricsServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace magnetar::ops
