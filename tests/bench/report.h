// SPDX-License-Identifier: Apache-2.0
// What a bench prints: a table for people, the contract's rows for machines.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace magnetar::bench {

struct StageCost {
  std::string stage;
  double cycles_per_packet = 0;
};

struct Row {
  std::string name;
  std::string pipeline;
  std::string cipher;
  std::string size;       // as in the name: a number of bytes, or "imix"
  std::size_t bytes = 0;  // of an inner packet; a mix: on average
  std::size_t sessions = 1;
  std::string buffers;  // "cache" or "memory"
  std::string limit;    // what the ratio is against
  double cycles_per_packet = 0;
  double limit_cycles_per_packet = 0;
  std::size_t runs = 0;
  std::vector<StageCost> stages;  // of the pipeline, on average over all runs
};

[[nodiscard]] double median(std::vector<double> values);
void print_head();
void print_row(const Row& row, double cycles_per_ns, bool stages);
// False: the file could not be written.
[[nodiscard]] bool write_json(const std::string& path, const std::vector<Row>& rows,
                              double cycles_per_ns);

}  // namespace magnetar::bench
