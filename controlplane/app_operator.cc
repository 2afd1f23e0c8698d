// SPDX-License-Identifier: Apache-2.0
// What the operator asks of the gateway: commands, reload, the snapshot.
#include <algorithm>

#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <rte_version.h>

#include "controlplane/app.h"
#include "controlplane/config/diff.h"
#include "controlplane/config/load.h"
#include "controlplane/ops/json.h"
#include "controlplane/ops/log.h"
#include "controlplane/ops/logfmt.h"
#include "controlplane/ops/time_text.h"
#include "controlplane/tunnel/refusal.h"
#include "drivers/crypto/ipsec_mb.h"

namespace magnetar {
namespace {

constexpr std::string_view kUnreachable = "unreachable";
constexpr std::string_view kControlTooBig = "control_too_big";
constexpr std::string_view kTransmitFull = "transmit_full";

double unix_seconds(WallTime time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

ops::CertificateView view_of(const pki::Certificate& certificate) {
  return {certificate.name, certificate.fingerprint.to_string(),
          unix_seconds(certificate.not_after)};
}

}  // namespace

Result<nlohmann::json, std::string> App::on_command(const std::string& command,
                                                    const std::vector<std::string>& arguments) {
  if (command == "status") return ops::status_json(snapshot(), read_clock().wall);
  if (command == "drops") return ops::drops_json(snapshot());
  if (command == "runtime") return ops::runtime_json(snapshot());
  if (command == "tunnels") {
    return ops::tunnels_json(
        snapshot(), arguments.empty() ? std::nullopt : std::optional<std::string>(arguments[0]));
  }
  if (command == "reload") {
    auto changed = reload();
    if (!changed) return fail(std::move(changed).error());
    return ops::reload_json(*changed);
  }
  if (command == "close") {
    const auto addr = arguments.size() == 1 ? IpAddr::parse(arguments[0]) : std::nullopt;
    if (!addr) return fail(std::string("close wants one overlay address, for example 10.42.0.7"));
    Actions actions;
    const bool closed = control_.close({*addr}, read_clock(), actions);
    carry_out(actions);
    if (!closed) return fail("no tunnel to " + addr->to_string());
    return ops::close_json(addr->to_string());
  }
  return fail("no such command: " + command);
}

Result<std::vector<std::string>, std::string> App::reload() {
  const config::Loaded loaded = config::load_file(config_path_, read_clock().wall);
  std::string reasons;
  for (const config::Diagnostic& diagnostic : loaded.diagnostics)
    if (diagnostic.severity == config::Severity::kError) reasons += diagnostic.to_string() + "\n";
  if (loaded.config)
    for (const std::string& key : config::needs_restart(config_, *loaded.config))
      reasons += key + " has changed, which takes a restart; nothing was changed\n";
  last_reload_ok_ = reasons.empty();
  if (!last_reload_ok_) {
    reasons.pop_back();
    ops::log(LogLevel::kError, "event=\"reload refused\" reasons=" + ops::logfmt_value(reasons));
    return fail(std::move(reasons));
  }
  std::vector<std::string> changed = config::changed_live(config_, *loaded.config);
  config_ = *loaded.config;
  control_.replace_identity(config_.identity);
  control_.replace_static_remotes(config_.tunnels.static_remotes);
  plane_->set_clamp_mss(config_.inside.clamp_mss);
  ops::configure_log(config_.log_level, config_.log_format);
  last_reload_at_ = read_clock().wall;
  ops::log(LogLevel::kInfo, "event=reloaded changes=" + std::to_string(changed.size()));
  return changed;
}

ops::Snapshot App::snapshot() {
  const Now now = read_clock();
  ops::Snapshot out;
  out.version = MAGNETAR_VERSION;
  constexpr std::string_view kPrefix = "DPDK ";
  out.dpdk_version = std::string_view(rte_version()).substr(kPrefix.size());
  out.ipsec_mb_version = ipsec_mb_version();
  out.uptime_s = std::chrono::duration<double>(now.steady - started_).count();
  for (const VpnAddr& addr : config_.identity->overlay_addrs())
    out.overlay_addresses.push_back(addr.to_string());
  out.certificate = view_of(config_.identity->certificate);
  for (const auto& [fingerprint, ca] : config_.identity->cas.cas()) out.cas.push_back(view_of(ca));
  fill_ports(out);
  fill_tunnels(out);
  fill_counters(out);
  out.handshakes = tally_.handshakes();
  out.handshake_duration = tally_.durations();
  out.mempool_available["packets"] = rte_mempool_avail_count(plane_->pool());
  out.punt_queue_depth = plane_->rings().punted_waiting();
  out.last_reload_successful = last_reload_ok_;
  out.last_reload_success_unix_s = unix_seconds(last_reload_at_);
  return out;
}

void App::fill_ports(ops::Snapshot& out) {
  OutsidePort& port = plane_->outside();
  ops::PortView outside;
  outside.side = "outside";
  outside.name = config_.outside.port;
  outside.backend = backend_name(port.backend());
  for (const Prefix& address : plane_->netlink().addresses())
    outside.addresses.push_back(address.to_string());
  outside.mac = to_string(port.mac());
  outside.queues = port.receive_queues();
  outside.mtu = config_.outside.mtu;
  outside.offloads = port.offloads();
  outside.note = port.note();
  const std::string& tried = plane_->fallback_reason();
  if (!tried.empty()) outside.note += (outside.note.empty() ? "" : "; ") + ("not taken: " + tried);
  outside.rx_missed = plane_->outside_missed();
  out.ports = {std::move(outside), inside_view()};
}

ops::PortView App::inside_view() {
  ops::PortView inside;
  inside.side = "inside";
  inside.mtu = config_.inside.mtu;
  if (RoutedPort* routed = plane_->routed()) {
    OutsidePort& port = routed->port();
    inside.name = config_.inside.port->name;
    inside.backend = backend_name(port.backend());
    for (const Prefix& address : routed->netlink().addresses())
      inside.addresses.push_back(address.to_string());
    inside.mac = to_string(port.mac());
    inside.queues = port.receive_queues();
    inside.offloads = port.offloads();
    inside.note = port.note();
    inside.rx_missed = port.counters().rx_missed;
    return inside;
  }
  inside.name = plane_->inside().name();
  inside.backend = plane_->inside().backend();
  for (const Prefix& network : config_.identity->widest().networks)
    inside.addresses.push_back(network.to_string());
  inside.queues = plane_->inside().receive_queues();
  inside.offloads = plane_->inside().offloads();
  inside.note = plane_->inside().note();
  inside.rx_missed = plane_->inside().rx_missed();
  return inside;
}

void App::fill_tunnels(ops::Snapshot& out) {
  const Now now = read_clock();
  for (const TunnelView& from : control_.tunnels()) {
    ops::TunnelView to;
    for (const VpnAddr& addr : from.overlay_addrs) to.overlay_addresses.push_back(addr.to_string());
    to.name = from.name;
    to.groups = from.groups;
    if (from.remote) to.remote = from.remote->to_string();
    to.local_index = from.local_index.raw();
    to.remote_index = from.remote_index.raw();
    to.state = from.up ? "up" : "pending";
    to.primary = from.primary;
    to.initiator = from.initiator;
    to.cipher = cipher_name(config_.tunnels.cipher);
    if (from.cert_fingerprint) to.cert_fingerprint = from.cert_fingerprint->to_string();
    if (from.cert_expires) to.cert_expires = ops::rfc3339(unix_seconds(*from.cert_expires));
    to.cert_version = from.cert_version;
    to.own_cert_version = from.own_cert_version;
    if (from.up) to.path_mtu = from.path_mtu.value_or(config_.outside.mtu);
    if (from.up) {
      to.established_s = std::chrono::duration<double>(now.steady - from.since).count();
      if (const auto counted = publisher_.tallies(from.local_index)) {
        to.rx_packets = counted->rx_packets;
        to.rx_bytes = counted->rx_bytes;
        to.tx_packets = counted->tx_packets;
        to.tx_bytes = counted->tx_bytes;
        to.tx_counter = counted->tx_counter;
      }
    }
    out.tunnels.push_back(std::move(to));
  }
}

void App::fill_counters(ops::Snapshot& out) {
  std::map<std::pair<std::string, std::string>, ops::TrafficView> traffic;
  const auto add = [&](const char* direction, const char* side, std::uint64_t packets,
                       std::uint64_t bytes) {
    ops::TrafficView& view = traffic[{direction, side}];
    view = {direction, side, view.packets + packets, view.bytes + bytes};
  };
  for (std::uint16_t w = 0; w < plane_->workers(); ++w) {
    const WorkerStats& stats = plane_->stats(w);
    for (const auto& [name, side] :
         {std::pair{"outside", &stats.outside}, std::pair{"inside", &stats.inside}}) {
      add("rx", name, side->rx_packets.get(), side->rx_bytes.get());
      add("tx", name, side->tx_packets.get(), side->tx_bytes.get());
    }
    for (std::size_t k = 0; k < kPuntKinds; ++k) {
      out.punted[std::string(kPuntKindNames[k])] += stats.punted[k].get();
      out.punt_dropped[std::string(kPuntKindNames[k])] += stats.punt_dropped[k].get();
    }
    out.injected += stats.injected.get();
    out.late += stats.late.get();
    ops::WorkerView worker{
        .worker = w, .core = plane_->core(w), .busy_ratio = busy_[w], .stages = {}};
    for (std::size_t s = 0; s < kStages; ++s)
      worker.stages.push_back({std::string(kStageNames[s].pipeline),
                               std::string(kStageNames[s].stage), stats.stages[s].packets.get(),
                               stats.stages[s].vectors.get(), stats.stages[s].cycles.get()});
    out.workers.push_back(std::move(worker));
  }
  for (auto& [key, view] : traffic) out.traffic.push_back(std::move(view));

  const auto totals = drop_totals();
  const auto add_drop = [&](std::string_view label, std::string_view text, const char* plane) {
    const std::string key = std::string(plane) + "/" + std::string(label);
    out.drops.push_back(
        {std::string(label), std::string(text), plane, totals.at(key), rates_.per_second(key)});
  };
  for (const VerdictRule& rule : kVerdictRules)
    if (rule.verdict > Verdict::kPunted) add_drop(rule.label, rule.text, "data");
  for (const RefusalRule& rule : kRefusalRules) add_drop(rule.label, rule.text, "control");
  add_drop(kUnreachable, "no way to the peer's underlay address", "control");
  add_drop(kControlTooBig, "larger than a frame of the outside port", "control");
  add_drop(kTransmitFull, "no packet buffer, or the worker's queue was full", "control");
}

// Keyed "plane/label".
std::map<std::string, std::uint64_t> App::drop_totals() const {
  std::map<std::string, std::uint64_t> totals;
  for (const VerdictRule& rule : kVerdictRules) {
    std::uint64_t& total = totals["data/" + std::string(rule.label)];
    for (std::uint16_t w = 0; w < plane_->workers(); ++w)
      total += plane_->stats(w).drops[static_cast<std::size_t>(rule.verdict)].get();
  }
  for (const RefusalRule& rule : kRefusalRules)
    totals["control/" + std::string(rule.label)] = tally_.refused(rule.label);
  totals["control/" + std::string(kUnreachable)] = publisher_.unreachable();
  totals["control/" + std::string(kControlTooBig)] = publisher_.too_big();
  totals["control/" + std::string(kTransmitFull)] =
      publisher_.overflowed() + (plane_->routed() != nullptr ? plane_->routed()->overflowed() : 0);
  return totals;
}

}  // namespace magnetar
