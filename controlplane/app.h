// SPDX-License-Identifier: Apache-2.0
// The gateway: owns every object, and is the wiring between them. Control thread only.
#pragma once

#include <deque>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/config/schema.h"
#include "controlplane/control_plane.h"
#include "controlplane/data_plane.h"
#include "controlplane/event_loop.h"
#include "controlplane/ops/control_socket.h"
#include "controlplane/ops/metrics_server.h"
#include "controlplane/ops/tally.h"
#include "controlplane/publish/publisher.h"
#include "controlplane/publish/session_traffic.h"
#include "controlplane/publish/underlay.h"

namespace magnetar {

class App {
 public:
  // Opens devices, sockets and tables; nothing moves yet.
  [[nodiscard]] static Result<std::unique_ptr<App>, DeviceError> open(
      const std::filesystem::path& config_path, const config::Config& config);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // Until SIGTERM or SIGINT; then every peer is told.
  void run();

  [[nodiscard]] ops::Snapshot snapshot();

 private:
  App(std::filesystem::path config_path, const config::Config& config,
      std::unique_ptr<DataPlane> plane);
  [[nodiscard]] Result<void, DeviceError> open_sockets();
  void watch_everything();

  // Inputs of the control plane.
  bool take_punted();
  void on_punted(rte_mbuf& mbuf);
  void on_network_change();
  void on_signal();
  void on_twin_frames();
  void on_second(Instant now);

  void carry_out(Actions& actions);
  [[nodiscard]] Instant next_deadline() const;
  void announce();
  void shut_down();

  // The operator.
  [[nodiscard]] Result<nlohmann::json, std::string> on_command(
      const std::string& command, const std::vector<std::string>& arguments);
  // What changed, or every reason for which nothing did.
  [[nodiscard]] Result<std::vector<std::string>, std::string> reload();
  void fill_ports(ops::Snapshot& out);
  [[nodiscard]] ops::PortView inside_view();
  void fill_tunnels(ops::Snapshot& out);
  void fill_counters(ops::Snapshot& out);
  [[nodiscard]] std::map<std::string, std::uint64_t> drop_totals() const;

  std::filesystem::path config_path_;
  config::Config config_;
  Instant started_;
  EventLoop loop_;
  std::unique_ptr<DataPlane> plane_;
  std::unique_ptr<Aead> aead_;
  std::unique_ptr<RandomSource> random_;
  Underlay underlay_;
  Publisher publisher_;
  SessionTraffic traffic_;
  ControlPlane control_;
  ops::Tally tally_;
  ops::Rates rates_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> worker_cycles_;  // busy, total at on_second
  std::vector<double> busy_;
  std::unique_ptr<ops::ControlSocket> control_socket_;
  std::unique_ptr<ops::MetricsServer> metrics_;
  int signal_fd_ = -1;
  bool stopping_ = false;
  bool network_changed_ = false;
  Instant next_refresh_{};
  Instant next_second_{};
  bool last_reload_ok_ = true;
  WallTime last_reload_at_;
};

}  // namespace magnetar
