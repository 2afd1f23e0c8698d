// SPDX-License-Identifier: Apache-2.0
#include "controlplane/ops/metrics.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "controlplane/ops/logfmt.h"
#include "dataplane/packet/verdict.h"
#include "dataplane/stats.h"

namespace magnetar::ops {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

// Values in the order of a family's label names.
using LabelValues = std::vector<std::string>;

// One family of counters or gauges. Keyed by its labels: two samples of one series would make
// Prometheus refuse the whole scrape.
class Family {
 public:
  Family(MetricType type, std::string name, std::string help, std::vector<std::string> labels = {})
      : type_(type), name_(std::move(name)), help_(std::move(help)), labels_(std::move(labels)) {}

  double& operator[](const LabelValues& values) { return samples_[values]; }
  Family& with(double value) {
    samples_[{}] = value;
    return *this;
  }
  [[nodiscard]] bool has(const LabelValues& values) const { return samples_.contains(values); }

  void add_to(std::vector<MetricFamily>& out) const {
    if (samples_.empty()) return;
    MetricFamily family{.name = name_, .help = help_, .type = type_, .metric = {}};
    for (const auto& [values, value] : samples_) {
      ClientMetric& metric = family.metric.emplace_back();
      // printable: one byte that is no UTF-8 would make Prometheus refuse the whole scrape.
      for (std::size_t i = 0; i < labels_.size(); ++i)
        metric.label.push_back({labels_[i], printable(values[i])});
      (type_ == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    }
    out.push_back(std::move(family));
  }

 private:
  MetricType type_;
  std::string name_;
  std::string help_;
  std::vector<std::string> labels_;
  std::map<LabelValues, double> samples_;
};

Family counter(std::string name, std::string help, std::vector<std::string> labels = {}) {
  return {MetricType::Counter, std::move(name), std::move(help), std::move(labels)};
}

Family gauge(std::string name, std::string help, std::vector<std::string> labels = {}) {
  return {MetricType::Gauge, std::move(name), std::move(help), std::move(labels)};
}

double number(std::uint64_t value) { return static_cast<double>(value); }

using Families = std::vector<MetricFamily>;

void add_process(const Snapshot& s, Families& out) {
  Family build = gauge("magnetar_build_info", "Versions of this gateway and of what it runs on.",
                       {"version", "dpdk_version", "ipsec_mb_version"});
  build[{s.version, s.dpdk_version, s.ipsec_mb_version}] = 1;
  build.add_to(out);
  gauge("magnetar_uptime_seconds", "Time since the gateway started.").with(s.uptime_s).add_to(out);
  gauge("magnetar_config_last_reload_successful",
        "Whether the last reload of the configuration took effect.")
      .with(s.last_reload_successful ? 1 : 0)
      .add_to(out);
  gauge("magnetar_config_last_reload_success_timestamp_seconds",
        "When the configuration that is in use was loaded.")
      .with(s.last_reload_success_unix_s)
      .add_to(out);
}

void add_tunnels(const Snapshot& s, Families& out) {
  Family tunnels = gauge("magnetar_tunnels", "Tunnels by state.", {"state"});
  tunnels[{"up"}] = 0;
  tunnels[{"pending"}] = 0;
  for (const TunnelView& tunnel : s.tunnels) tunnels[{tunnel.state}] += 1;
  tunnels.add_to(out);
}

void add_handshake_duration(const HistogramView& view, Families& out) {
  MetricFamily family{.name = "magnetar_handshake_duration_seconds",
                      .help = "Time from the first packet of a completed handshake to its tunnel.",
                      .type = MetricType::Histogram,
                      .metric = {}};
  auto& histogram = family.metric.emplace_back().histogram;
  for (const std::uint64_t count : view.counts) histogram.sample_count += count;
  histogram.sample_sum = view.sum_s;
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < std::min(view.bounds_s.size(), view.counts.size()); ++i) {
    cumulative += view.counts[i];
    histogram.bucket.push_back({cumulative, view.bounds_s[i]});
  }
  out.push_back(std::move(family));
}

void add_handshakes(const Snapshot& s, Families& out) {
  Family handshakes =
      counter("magnetar_handshakes_total", "Handshakes that ended, by our role and how they ended.",
              {"role", "result"});
  handshakes[{"initiator", "ok"}] = 0;
  handshakes[{"initiator", "timeout"}] = 0;
  handshakes[{"responder", "ok"}] = 0;
  for (const auto& [key, count] : s.handshakes) handshakes[{key.first, key.second}] = number(count);
  handshakes.add_to(out);
  add_handshake_duration(s.handshake_duration, out);
}

void add_traffic(const Snapshot& s, Families& out) {
  Family packets =
      counter("magnetar_packets_total", "Packets received and sent on the outside and the inside.",
              {"direction", "side"});
  Family bytes = counter("magnetar_bytes_total",
                         "Bytes received and sent: whole frames outside, IP packets inside.",
                         {"direction", "side"});
  for (const char* direction : {"rx", "tx"})
    for (const char* side : {"inside", "outside"})
      packets[{direction, side}] = bytes[{direction, side}] = 0;
  for (const TrafficView& view : s.traffic) {
    packets[{view.direction, view.side}] += number(view.packets);
    bytes[{view.direction, view.side}] += number(view.bytes);
  }
  packets.add_to(out);
  bytes.add_to(out);
}

void add_drops(const Snapshot& s, Families& out) {
  Family data = counter("magnetar_drops_total", "Packets that the data plane dropped, by reason.",
                        {"reason"});
  Family control = counter("magnetar_control_drops_total",
                           "Packets that the control plane refused, by reason.", {"reason"});
  for (const VerdictRule& rule : kVerdictRules) {
    if (rule.verdict == Verdict::kForward || rule.verdict == Verdict::kPunted) continue;
    data[{std::string(rule.label)}] = 0;
  }
  for (const DropView& drop : s.drops)
    (drop.plane == "control" ? control : data)[{drop.reason}] += number(drop.total);
  data.add_to(out);
  control.add_to(out);
}

void add_punts(const Snapshot& s, Families& out) {
  Family punted = counter("magnetar_punted_packets_total",
                          "Packets and notices handed to the control plane, by kind.", {"kind"});
  Family dropped =
      counter("magnetar_punt_dropped_total",
              "Packets and notices for the control plane that found its queue full.", {"kind"});
  for (const std::string_view kind : kPuntKindNames)
    punted[{std::string(kind)}] = dropped[{std::string(kind)}] = 0;
  for (const auto& [kind, count] : s.punted) punted[{kind}] = number(count);
  for (const auto& [kind, count] : s.punt_dropped) dropped[{kind}] = number(count);
  punted.add_to(out);
  dropped.add_to(out);
  gauge("magnetar_punt_queue_depth", "Packets and notices that wait for the control plane.")
      .with(number(s.punt_queue_depth))
      .add_to(out);
  counter("magnetar_injected_packets_total",
          "Packets that the control plane gave to the workers and they sent.")
      .with(number(s.injected))
      .add_to(out);
  counter("magnetar_late_packets_total",
          "Packets sent so far behind others of their tunnel that a peer's replay window of 1,024 "
          "refuses them.")
      .with(number(s.late))
      .add_to(out);
}

// Packets that entered the pipeline: no stage sees more than its first. Cycles: of all stages.
struct PipelineSum {
  std::uint64_t packets = 0;
  std::uint64_t cycles = 0;
};

void add_workers(const Snapshot& s, Families& out) {
  Family busy = gauge("magnetar_worker_busy_ratio",
                      "Share of its time a worker spent on packets lately, 0 to 1.", {"worker"});
  Family cost = gauge("magnetar_worker_cycles_per_packet",
                      "TSC cycles a packet cost in all stages of a pipeline, since start.",
                      {"worker", "pipeline"});
  const std::vector<std::string> labels{"worker", "pipeline", "stage"};
  Family packets = counter("magnetar_worker_stage_packets_total",
                           "Packets that entered a stage of a pipeline.", labels);
  Family vectors = counter("magnetar_worker_stage_vectors_total",
                           "Bursts of packets that entered a stage of a pipeline.", labels);
  Family cycles = counter("magnetar_worker_stage_cycles_total",
                          "TSC cycles spent in a stage of a pipeline.", labels);
  for (const WorkerView& view : s.workers) {
    const std::string worker = std::to_string(view.worker);
    std::map<std::string, PipelineSum> sums;
    busy[{worker}] = view.busy_ratio;
    for (const StageView& stage : view.stages) {
      packets[{worker, stage.pipeline, stage.stage}] += number(stage.packets);
      vectors[{worker, stage.pipeline, stage.stage}] += number(stage.vectors);
      cycles[{worker, stage.pipeline, stage.stage}] += number(stage.cycles);
      PipelineSum& sum = sums[stage.pipeline];
      sum.packets = std::max(sum.packets, stage.packets);
      sum.cycles += stage.cycles;
    }
    for (const auto& [pipeline, sum] : sums)
      cost[{worker, pipeline}] = sum.packets == 0 ? 0 : number(sum.cycles) / number(sum.packets);
  }
  for (const Family* family : {&busy, &cost, &packets, &vectors, &cycles}) family->add_to(out);
}

void add_certificates(const Snapshot& s, Families& out) {
  Family own = gauge("magnetar_cert_expiry_timestamp_seconds",
                     "When the certificate of this gateway expires.", {"name"});
  if (!s.certificate.fingerprint.empty()) own[{s.certificate.name}] = s.certificate.expires_unix_s;
  own.add_to(out);
  Family cas =
      gauge("magnetar_ca_expiry_timestamp_seconds",
            "When a certificate authority expires; of several of one name the first.", {"name"});
  for (const CertificateView& ca : s.cas) {
    const bool known = cas.has({ca.name});
    double& expiry = cas[{ca.name}];
    expiry = known ? std::min(expiry, ca.expires_unix_s) : ca.expires_unix_s;
  }
  cas.add_to(out);
}

void add_devices(const Snapshot& s, Families& out) {
  Family missed = counter("magnetar_port_rx_missed_total",
                          "Packets a port lost because no worker took them in time.", {"port"});
  for (const PortView& port : s.ports) missed[{port.name}] += number(port.rx_missed);
  missed.add_to(out);
  Family pools =
      gauge("magnetar_mempool_available", "Packet buffers that are free in a pool.", {"pool"});
  for (const auto& [pool, available] : s.mempool_available) pools[{pool}] = number(available);
  pools.add_to(out);
}

}  // namespace

std::vector<MetricFamily> metric_families(const Snapshot& snapshot) {
  Families out;
  add_process(snapshot, out);
  add_tunnels(snapshot, out);
  add_handshakes(snapshot, out);
  add_traffic(snapshot, out);
  add_drops(snapshot, out);
  add_punts(snapshot, out);
  add_workers(snapshot, out);
  add_certificates(snapshot, out);
  add_devices(snapshot, out);
  return out;
}

}  // namespace magnetar::ops
