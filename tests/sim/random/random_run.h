// SPDX-License-Identifier: Apache-2.0
// A long life of a small network, drawn from a seed: spells of trouble (loss, repeats, delays,
// restarts, moves) and, after each, a spell in which everything must work again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/world.h"

namespace magnetar::sim {

struct RandomOptions {
  int nodes = 10;
  int old_peers = 0;  // of the nodes, models of older Nebula
  int new_peers = 0;  // and of newer
  Duration length = std::chrono::hours(1);
};

class RandomRun {
 public:
  RandomRun(std::uint32_t seed, const RandomOptions& options);

  // What broke; none: nothing did.
  [[nodiscard]] std::optional<std::string> run();
  [[nodiscard]] std::uint64_t packets() const { return serial_; }
  [[nodiscard]] std::uint64_t handshakes() const;

 private:
  void populate(const RandomOptions& options);
  void trouble();
  void misfortune();
  void heal();
  [[nodiscard]] bool converges();
  [[nodiscard]] bool rests();
  void talk();
  std::string send(Host& from, Host& to);
  [[nodiscard]] bool delivered_once();
  [[nodiscard]] bool arrived(const Host& at, const std::string& text) const;
  [[nodiscard]] bool broken(std::string what);

  [[nodiscard]] double fraction() { return std::uniform_real_distribution<>(0, 1)(engine_); }
  [[nodiscard]] std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(engine_);
  }
  [[nodiscard]] Duration up_to(Duration longest) {
    return std::chrono::duration_cast<Duration>(longest * fraction());
  }

  std::mt19937_64 engine_;
  World world_;
  Duration length_;
  std::vector<Host*> hosts_;
  std::vector<UnderlayAddr> homes_;
  std::vector<bool> ours_;
  std::vector<std::pair<std::size_t, std::size_t>> friends_;  // who talk to each other
  std::uint32_t next_place_ = 0;
  std::uint64_t serial_ = 0;
  std::string what_broke_;
};

}  // namespace magnetar::sim
