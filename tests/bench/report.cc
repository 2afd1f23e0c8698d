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

void print_table(const std::vector<Row>& rows, double cycles_per_ns) {
  std::printf("%-28s %8s %12s %12s %12s %8s %8s\n", "name", "bytes", "cycles/pkt", "ns/pkt",
              "limit ns", "ratio", "Gb/s");
  for (const Row& row : rows) {
    const double ns = row.cycles_per_packet / cycles_per_ns;
    std::printf("%-28s %8zu %12.0f %12.1f %12.1f %8.2f %8.1f\n", row.name.c_str(), row.bytes,
                row.cycles_per_packet, ns, row.limit_cycles_per_packet / cycles_per_ns,
                row.cycles_per_packet / row.limit_cycles_per_packet,
                static_cast<double>(row.bytes) * 8 / ns);
  }
}

bool write_json(const std::string& path, const std::vector<Row>& rows, double cycles_per_ns) {
  nlohmann::json list = nlohmann::json::array();
  for (const Row& row : rows) {
    list.push_back({{"name", row.name},
                    {"pipeline", row.pipeline},
                    {"cipher", row.cipher},
                    {"bytes", row.bytes},
                    {"sessions", row.sessions},
                    {"ns_per_packet", row.cycles_per_packet / cycles_per_ns},
                    {"cycles_per_packet", row.cycles_per_packet},
                    {"limit_ns_per_packet", row.limit_cycles_per_packet / cycles_per_ns},
                    {"ratio", row.cycles_per_packet / row.limit_cycles_per_packet},
                    {"runs", row.runs}});
  }
  std::ofstream file(path);
  file << list.dump(2) << "\n";
  return file.good();
}

}  // namespace magnetar::bench
