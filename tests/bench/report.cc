// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/report.h"

#include <algorithm>
#include <cstdio>
#include <fstream>

#include <nlohmann/json.hpp>

namespace magnetar::bench {

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

void print_head() {
  std::printf("%-40s %8s %8s %7s %7s %9s %7s %7s  %s\n", "name", "cycles", "ns", "Mpps", "Gb/s",
              "limit ns", "beyond", "ratio", "limit");
}

void print_row(const Row& row, double cycles_per_ns, bool stages) {
  const double ns = row.cycles_per_packet / cycles_per_ns;
  const double limit = row.limit_cycles_per_packet / cycles_per_ns;
  std::printf("%-40s %8.0f %8.1f %7.2f %7.1f %9.1f %+7.1f %7.2f  %s\n", row.name.c_str(),
              row.cycles_per_packet, ns, 1e3 / ns, static_cast<double>(row.bytes) * 8 / ns, limit,
              ns - limit, ns / limit, row.limit.c_str());
  for (const StageCost& stage : row.stages)
    if (stages) std::printf("  %-38s %8.1f\n", stage.stage.c_str(), stage.cycles_per_packet);
  std::fflush(stdout);
}

bool write_json(const std::string& path, const std::vector<Row>& rows, double cycles_per_ns) {
  nlohmann::json list = nlohmann::json::array();
  for (const Row& row : rows) {
    const double ns = row.cycles_per_packet / cycles_per_ns;
    nlohmann::json stages = nlohmann::json::object();
    for (const StageCost& stage : row.stages) stages[stage.stage] = stage.cycles_per_packet;
    list.push_back({{"name", row.name},
                    {"pipeline", row.pipeline},
                    {"cipher", row.cipher},
                    {"size", row.size},
                    {"bytes", row.bytes},
                    {"sessions", row.sessions},
                    {"buffers", row.buffers},
                    {"ns_per_packet", ns},
                    {"cycles_per_packet", row.cycles_per_packet},
                    {"packets_per_second", 1e9 / ns},
                    {"bits_per_second", static_cast<double>(row.bytes) * 8e9 / ns},
                    {"limit", row.limit},
                    {"limit_ns_per_packet", row.limit_cycles_per_packet / cycles_per_ns},
                    {"ratio", row.cycles_per_packet / row.limit_cycles_per_packet},
                    {"runs", row.runs},
                    {"stage_cycles", stages}});
  }
  std::ofstream file(path);
  file << list.dump(2) << "\n";
  return file.good();
}

}  // namespace magnetar::bench
