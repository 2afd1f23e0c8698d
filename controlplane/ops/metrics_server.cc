// SPDX-License-Identifier: Apache-2.0
#include "controlplane/ops/metrics_server.h"

#include <exception>
#include <utility>
#include <vector>

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>

#include "controlplane/ops/metrics.h"

namespace magnetar::ops {
namespace {

class SnapshotCollectable : public prometheus::Collectable {
 public:
  explicit SnapshotCollectable(MetricsServer::Provider provider) : provider_(std::move(provider)) {}

  [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override {
    const std::optional<Snapshot> snapshot = provider_();
    if (!snapshot) return {};
    return metric_families(*snapshot);
  }

 private:
  MetricsServer::Provider provider_;
};

}  // namespace

struct MetricsServer::Impl {
  Impl(const std::string& listen, Provider provider)
      : collectable(std::make_shared<SnapshotCollectable>(std::move(provider))),
        // Two threads: one client that reads slowly does not stop the others. The time limit frees
        // the thread of a client that sends nothing.
        exposer({"listening_ports", listen, "num_threads", "2", "request_timeout_ms", "5000"}) {
    exposer.RegisterCollectable(collectable);
  }

  std::shared_ptr<SnapshotCollectable> collectable;
  prometheus::Exposer exposer;
};

Result<std::unique_ptr<MetricsServer>, std::string> MetricsServer::start(const UnderlayAddr& listen,
                                                                         Provider provider) {
  try {
    auto impl = std::make_unique<Impl>(listen.to_string(), std::move(provider));
    return std::unique_ptr<MetricsServer>(new MetricsServer(std::move(impl)));
  } catch (const std::exception& error) {
    return fail("metrics.listen: cannot listen on " + listen.to_string() +
                " (is the address ours, and the port free?): " + error.what());
  }
}

MetricsServer::MetricsServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MetricsServer::~MetricsServer() = default;

std::uint16_t MetricsServer::port() const {
  const std::vector<int> ports = impl_->exposer.GetListeningPorts();
  return ports.empty() ? std::uint16_t{0} : static_cast<std::uint16_t>(ports.front());
}

}  // namespace magnetar::ops
