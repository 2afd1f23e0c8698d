// SPDX-License-Identifier: Apache-2.0
#include "controlplane/ops/metrics.h"

#include <map>
#include <set>
#include <sstream>
#include <string>

#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include "dataplane/packet/verdict.h"
#include "tests/unit/controlplane/ops/sample_snapshot.h"

namespace magnetar::ops {
namespace {

// The text that Prometheus is given: value by series, type and help by family.
struct Exposition {
  std::map<std::string, std::string> series;
  std::map<std::string, std::string> types;
  std::map<std::string, std::string> help;
};

Exposition expose(const Snapshot& snapshot) {
  std::istringstream text(prometheus::TextSerializer{}.Serialize(metric_families(snapshot)));
  Exposition out;
  for (std::string line; std::getline(text, line);) {
    const auto add = [&](std::map<std::string, std::string>& to, const std::string& rest) {
      const std::size_t space = rest.find(' ');
      EXPECT_TRUE(to.emplace(rest.substr(0, space), rest.substr(space + 1)).second)
          << "twice: " << line;
    };
    if (line.starts_with("# HELP ")) {
      add(out.help, line.substr(7));
    } else if (line.starts_with("# TYPE ")) {
      add(out.types, line.substr(7));
    } else {
      const std::size_t space = line.rfind(' ');
      EXPECT_TRUE(out.series.emplace(line.substr(0, space), line.substr(space + 1)).second)
          << "twice: " << line;
    }
  }
  return out;
}

TEST(Metrics, EachSeriesHasItsNameLabelsAndValue) {
  const std::map<std::string, std::string> expected{
      {R"(magnetar_build_info{version="0.1.0",dpdk_version="22.11.11",ipsec_mb_version="1.3.0"})",
       "1"},
      {"magnetar_uptime_seconds", "11520.5"},
      {R"(magnetar_tunnels{state="up"})", "1"},
      {R"(magnetar_tunnels{state="pending"})", "1"},
      {R"(magnetar_handshakes_total{role="initiator",result="ok"})", "5"},
      {R"(magnetar_handshakes_total{role="initiator",result="timeout"})", "0"},
      {R"(magnetar_handshakes_total{role="responder",result="ok"})", "0"},
      {R"(magnetar_handshakes_total{role="responder",result="bad_certificate"})", "3"},
      {R"(magnetar_handshake_duration_seconds_bucket{le="0.01"})", "3"},
      {R"(magnetar_handshake_duration_seconds_bucket{le="0.1"})", "4"},
      {R"(magnetar_handshake_duration_seconds_bucket{le="+Inf"})", "5"},
      {"magnetar_handshake_duration_seconds_count", "5"},
      {"magnetar_handshake_duration_seconds_sum", "0.75"},
      {R"(magnetar_packets_total{direction="rx",side="outside"})", "1000"},
      {R"(magnetar_packets_total{direction="tx",side="inside"})", "400"},
      {R"(magnetar_bytes_total{direction="tx",side="outside"})", "700000"},
      {R"(magnetar_bytes_total{direction="rx",side="inside"})", "500000"},
      {R"(magnetar_drops_total{reason="forged"})", "12"},
      {R"(magnetar_drops_total{reason="replayed"})", "0"},
      {R"(magnetar_control_drops_total{reason="bad_certificate"})", "3"},
      {R"(magnetar_punted_packets_total{kind="handshake"})", "20"},
      {R"(magnetar_punted_packets_total{kind="no_tunnel"})", "0"},
      {R"(magnetar_punt_dropped_total{kind="handshake"})", "2"},
      {R"(magnetar_punt_dropped_total{kind="moved"})", "0"},
      {"magnetar_punt_queue_depth", "4"},
      {"magnetar_injected_packets_total", "21"},
      {"magnetar_late_packets_total", "22"},
      {R"(magnetar_worker_busy_ratio{worker="0"})", "0.25"},
      {R"(magnetar_worker_cycles_per_packet{worker="0",pipeline="outside"})", "500"},
      {R"(magnetar_worker_cycles_per_packet{worker="0",pipeline="inside"})", "0"},
      {R"(magnetar_worker_stage_packets_total{worker="0",pipeline="outside",stage="open"})", "900"},
      {R"(magnetar_worker_stage_vectors_total{worker="0",pipeline="outside",stage="open"})", "90"},
      {R"(magnetar_worker_stage_cycles_total{worker="0",pipeline="outside",stage="open"})",
       "450000"},
      {R"(magnetar_cert_expiry_timestamp_seconds{name="gateway-1"})", "1800000000"},
      {R"(magnetar_ca_expiry_timestamp_seconds{name="root"})", "1900000000"},
      {R"(magnetar_port_rx_missed_total{port="eth1"})", "7"},
      {R"(magnetar_port_rx_missed_total{port="magnetar0"})", "0"},
      {R"(magnetar_mempool_available{pool="outside"})", "8000"},
      {"magnetar_config_last_reload_successful", "1"},
      {"magnetar_config_last_reload_success_timestamp_seconds", "1790000000"},
  };
  const Exposition out = expose(test::sample_snapshot());
  for (const auto& [series, value] : expected) {
    const auto found = out.series.find(series);
    ASSERT_NE(found, out.series.end()) << series;
    EXPECT_EQ(found->second, value) << series;
  }
}

TEST(Metrics, TypesFollowTheNames) {
  const Exposition out = expose(test::sample_snapshot());
  EXPECT_GE(out.types.size(), 24U);
  for (const auto& [name, type] : out.types) {
    SCOPED_TRACE(name);
    EXPECT_TRUE(name.starts_with("magnetar_"));
    EXPECT_EQ(type, name == "magnetar_handshake_duration_seconds" ? "histogram"
                    : name.ends_with("_total")                    ? "counter"
                                                                  : "gauge");
    EXPECT_TRUE(out.help.contains(name) && out.help.at(name).ends_with("."));
  }
}

TEST(Metrics, EveryDropReasonIsThereFromTheStart) {
  const Exposition out = expose(Snapshot{});
  for (const VerdictRule& rule : kVerdictRules) {
    const std::string series = "magnetar_drops_total{reason=\"" + std::string(rule.label) + "\"}";
    const bool is_drop = rule.verdict != Verdict::kForward && rule.verdict != Verdict::kPunted;
    EXPECT_EQ(out.series.contains(series), is_drop) << series;
    if (is_drop) {
      EXPECT_EQ(out.series.at(series), "0");
    }
  }
  EXPECT_EQ(out.series.at(R"(magnetar_tunnels{state="up"})"), "0");
  EXPECT_EQ(out.series.at(R"(magnetar_packets_total{direction="rx",side="outside"})"), "0");
  EXPECT_EQ(out.series.at("magnetar_handshake_duration_seconds_count"), "0");
  EXPECT_EQ(out.series.at(R"(magnetar_handshake_duration_seconds_bucket{le="+Inf"})"), "0");
}

TEST(Metrics, NoSeriesComesTwice) {
  Snapshot snapshot = test::sample_snapshot();
  snapshot.cas.push_back({"root", "bb", 1850000000});  // a rotated authority keeps its name
  snapshot.cas.push_back({"root", "cc", 1950000000});
  snapshot.drops.push_back({"forged", "again", "data", 1, 0});
  snapshot.ports.push_back(snapshot.ports[0]);
  const Exposition out = expose(snapshot);  // says so itself
  EXPECT_EQ(out.series.at(R"(magnetar_ca_expiry_timestamp_seconds{name="root"})"), "1850000000");
  EXPECT_EQ(out.series.at(R"(magnetar_drops_total{reason="forged"})"), "13");
}

TEST(Metrics, NoNameBreaksTheText) {
  Snapshot snapshot = test::sample_snapshot();
  snapshot.certificate.name = "a\"b\\c\nd\xff";
  const Exposition out = expose(snapshot);
  EXPECT_TRUE(
      out.series.contains(R"(magnetar_cert_expiry_timestamp_seconds{name="a\"b\\c\\nd\\xff"})"));
}

TEST(Metrics, FailedReloadIsZero) {
  Snapshot snapshot = test::sample_snapshot();
  snapshot.last_reload_successful = false;
  EXPECT_EQ(expose(snapshot).series.at("magnetar_config_last_reload_successful"), "0");
}

}  // namespace
}  // namespace magnetar::ops
