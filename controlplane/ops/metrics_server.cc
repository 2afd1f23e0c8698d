// SPDX-License-Identifier: Apache-2.0
#include "controlplane/ops/metrics_server.h"

#include <atomic>
#include <chrono>
#include <exception>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <netinet/in.h>
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <sys/socket.h>

#include "controlplane/ops/metrics.h"
#include "controlplane/ops/unix_socket.h"

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

// Connects and hangs up. Whether it succeeds does not matter: another knock follows.
void knock(const sockaddr_in& at) {
  const UniqueFd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  static_cast<void>(
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof(at)));  // NOLINT
}

}  // namespace

struct MetricsServer::Impl {
  Impl(const UnderlayAddr& where, Provider provider)
      : listen(where),
        collectable(std::make_shared<SnapshotCollectable>(std::move(provider))),
        // Two threads: one client that reads slowly does not stop the others. The time limit frees
        // the thread of a client that sends nothing.
        exposer({"listening_ports", where.to_string(), "num_threads", "2", "request_timeout_ms",
                 "5000"}) {
    exposer.RegisterCollectable(collectable);
  }

  UnderlayAddr listen;
  std::shared_ptr<SnapshotCollectable> collectable;
  prometheus::Exposer exposer;
};

Result<std::unique_ptr<MetricsServer>, std::string> MetricsServer::start(const UnderlayAddr& listen,
                                                                         Provider provider) {
  try {
    auto impl = std::make_unique<Impl>(listen, std::move(provider));
    return std::unique_ptr<MetricsServer>(new MetricsServer(std::move(impl)));
  } catch (const std::exception& error) {
    const std::string_view hint = listen.ip.is_v4()
                                      ? "is the address ours, and the port free?"
                                      : "Debian's civetweb serves IPv4 only; give such an address";
    return fail(fmt::format("metrics.listen: cannot listen on {} ({}): {}", listen.to_string(),
                            hint, error.what()));
  }
}

MetricsServer::MetricsServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

// civetweb looks whether it shall stop when somebody connects, else every two seconds: too long for
// a gateway that is being restarted.
MetricsServer::~MetricsServer() {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port());
  at.sin_addr.s_addr = htonl(impl_->listen.ip.is_v4() ? impl_->listen.ip.v4_value() : 0);
  std::atomic<bool> stopped{false};
  std::thread knocker([&] {
    while (!stopped) {
      knock(at);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  impl_.reset();
  stopped = true;
  knocker.join();
}

std::uint16_t MetricsServer::port() const {
  const std::vector<int> ports = impl_->exposer.GetListeningPorts();
  return ports.empty() ? std::uint16_t{0} : static_cast<std::uint16_t>(ports.front());
}

}  // namespace magnetar::ops
