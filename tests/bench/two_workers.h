// SPDX-License-Identifier: Apache-2.0
// Rows of two threads: two workers against one, and what it costs to hand a packet to the worker
// that its flow belongs to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/bench/report.h"

namespace magnetar::bench {

// kBare: the cipher alone, in both threads: what the machine gives two cores.
enum class Duty : std::uint8_t { kBare, kSeal, kOpen };

struct TwoWorkersCase {
  Duty duty;
  std::uint32_t size;  // of inner packets
  std::size_t sessions;

  [[nodiscard]] std::string pipeline() const;
  [[nodiscard]] std::string name() const;
};

[[nodiscard]] std::vector<TwoWorkersCase> two_workers_cases();
// Cycles between two packets of both workers together; the limit: of one worker. 0.56 is 1.8 times
// as fast.
[[nodiscard]] Row measure_two_workers(const TwoWorkersCase& c);

// Cycles that both workers spend on a packet until the second has it at hand; the limit: a ring's
// bursts alone.
[[nodiscard]] Row measure_hand_over(std::uint32_t size);

}  // namespace magnetar::bench
