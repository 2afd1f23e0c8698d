// SPDX-License-Identifier: Apache-2.0
#include "controlplane/ops/json.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <fmt/format.h>

#include "controlplane/ops/time_text.h"
#include "dataplane/base/addr.h"

namespace magnetar::ops {
namespace {

using nlohmann::json;

constexpr double kSecondsADay = 86400;
constexpr double kManyDays = 1e9;  // certificates carry any 64-bit number

// Empty text is how a snapshot says "none".
json text_or_null(const std::string& text) { return text.empty() ? json(nullptr) : json(text); }

json number_or_null(const std::optional<int>& number) {
  return number ? json(*number) : json(nullptr);
}

json certificate_json(const CertificateView& certificate, WallTime now) {
  const double left_s = certificate.expires_unix_s - unix_seconds(now);
  const double days = std::clamp(std::floor(left_s / kSecondsADay), -kManyDays, kManyDays);
  return {{"name", certificate.name},
          {"fingerprint", certificate.fingerprint},
          {"expires", rfc3339(certificate.expires_unix_s)},
          // Whole days; negative once it has expired.
          {"days_left", static_cast<std::int64_t>(days)}};
}

json port_json(const PortView& port) {
  return {{"side", port.side},
          {"name", port.name},
          {"backend", port.backend},
          {"addresses", port.addresses},
          {"mac", text_or_null(port.mac)},
          {"queues", port.queues},
          {"mtu", port.mtu},
          {"offloads", text_or_null(port.offloads)},
          {"note", text_or_null(port.note)},
          {"rx_missed", port.rx_missed}};
}

json tunnel_json(const TunnelView& tunnel) {
  const bool up = tunnel.state == "up";
  return {{"overlay_addresses", tunnel.overlay_addresses},
          {"name", tunnel.name},
          {"groups", tunnel.groups},
          {"remote", text_or_null(tunnel.remote)},
          {"relay", text_or_null(tunnel.relay)},
          {"local_index", tunnel.local_index},
          // Until the handshake ends the peer has not told us its index.
          {"remote_index", up ? json(tunnel.remote_index) : json(nullptr)},
          {"state", tunnel.state},
          {"primary", tunnel.primary},
          {"initiator", tunnel.initiator},
          {"cipher", tunnel.cipher},
          {"cert_fingerprint", text_or_null(tunnel.cert_fingerprint)},
          {"cert_expires", text_or_null(tunnel.cert_expires)},
          {"cert_version", number_or_null(tunnel.cert_version)},
          {"own_cert_version", number_or_null(tunnel.own_cert_version)},
          {"path_mtu", number_or_null(tunnel.path_mtu)},
          {"established_s", tunnel.established_s},
          {"rx_packets", tunnel.rx_packets},
          {"rx_bytes", tunnel.rx_bytes},
          {"tx_packets", tunnel.tx_packets},
          {"tx_bytes", tunnel.tx_bytes},
          {"tx_counter", tunnel.tx_counter}};
}

double quotient(std::uint64_t amount, std::uint64_t each) {
  return each == 0 ? 0 : static_cast<double>(amount) / static_cast<double>(each);
}

json stage_json(const StageView& stage) {
  return {{"pipeline", stage.pipeline},
          {"stage", stage.stage},
          {"packets", stage.packets},
          {"vectors", stage.vectors},
          {"packets_per_vector", quotient(stage.packets, stage.vectors)},
          {"cycles_per_packet", quotient(stage.cycles, stage.packets)}};
}

json worker_json(const WorkerView& worker) {
  return {{"worker", worker.worker},
          {"core", worker.core},
          {"busy_ratio", worker.busy_ratio},
          {"idle_ratio", 1 - worker.busy_ratio}};
}

bool is_to(const TunnelView& tunnel, const IpAddr& address) {
  return std::ranges::any_of(tunnel.overlay_addresses, [&](const std::string& text) {
    return IpAddr::parse(text) == address;
  });
}

}  // namespace

json status_json(const Snapshot& snapshot, WallTime now) {
  auto cas = json::array();
  for (const CertificateView& ca : snapshot.cas) cas.push_back(certificate_json(ca, now));
  auto ports = json::array();
  for (const PortView& port : snapshot.ports) ports.push_back(port_json(port));
  auto workers = json::array();
  for (const WorkerView& worker : snapshot.workers) workers.push_back(worker_json(worker));
  const auto up = std::ranges::count(snapshot.tunnels, "up", &TunnelView::state);
  const auto pending = std::ranges::count(snapshot.tunnels, "pending", &TunnelView::state);
  return {{"version", snapshot.version},
          {"dpdk_version", snapshot.dpdk_version},
          {"ipsec_mb_version", snapshot.ipsec_mb_version},
          {"uptime_s", snapshot.uptime_s},
          {"overlay_addresses", snapshot.overlay_addresses},
          {"certificate", certificate_json(snapshot.certificate, now)},
          {"cas", std::move(cas)},
          {"ports", std::move(ports)},
          {"workers", std::move(workers)},
          {"tunnels", {{"up", up}, {"pending", pending}}},
          {"last_reload",
           {{"successful", snapshot.last_reload_successful},
            {"at", rfc3339(snapshot.last_reload_success_unix_s)}}}};
}

Result<json, std::string> tunnels_json(const Snapshot& snapshot,
                                       const std::optional<std::string>& address) {
  std::optional<IpAddr> wanted;
  if (address) {
    wanted = IpAddr::parse(*address);
    if (!wanted)
      return fail(
          fmt::format("'{}' is no address; an overlay address looks like 10.42.0.1", *address));
  }
  auto list = json::array();
  for (const TunnelView& tunnel : snapshot.tunnels)
    if (!wanted || is_to(tunnel, *wanted)) list.push_back(tunnel_json(tunnel));
  return list;
}

json drops_json(const Snapshot& snapshot) {
  auto list = json::array();
  for (const DropView& drop : snapshot.drops) {
    list.push_back({{"reason", drop.reason},
                    {"text", drop.text},
                    {"plane", drop.plane},
                    {"total", drop.total},
                    {"per_second", drop.per_second}});
  }
  return list;
}

json runtime_json(const Snapshot& snapshot) {
  auto workers = json::array();
  for (const WorkerView& view : snapshot.workers) {
    auto worker = worker_json(view);
    auto stages = json::array();
    for (const StageView& stage : view.stages) stages.push_back(stage_json(stage));
    worker["stages"] = std::move(stages);
    workers.push_back(std::move(worker));
  }
  return {{"workers", std::move(workers)}};
}

json reload_json(const std::vector<std::string>& changed) { return {{"changed", changed}}; }

json close_json(const std::string& address) { return {{"closed", address}}; }

std::string dump(const json& value, int indent) {
  return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

}  // namespace magnetar::ops
