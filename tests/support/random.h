// SPDX-License-Identifier: Apache-2.0
// Randomness that repeats.
#pragma once

#include <algorithm>
#include <deque>
#include <random>
#include <stdexcept>

#include "dataplane/base/random.h"

namespace magnetar::testing {

class SeededRandom final : public RandomSource {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  void fill(MutableBytes to) override {
    for (std::byte& byte : to) byte = static_cast<std::byte>(engine_());
  }

 private:
  std::mt19937_64 engine_;
};

// Gives what it was told to give, draw by draw; a draw of another size is a mistake of the test.
class ScriptedRandom final : public RandomSource {
 public:
  void expect(ByteView draw) { draws_.push_back(to_vector(draw)); }
  [[nodiscard]] bool used_up() const { return draws_.empty(); }
  void fill(MutableBytes to) override {
    if (draws_.empty() || draws_.front().size() != to.size())
      throw std::logic_error("a draw that was not expected");
    std::ranges::copy(draws_.front(), to.begin());
    draws_.pop_front();
  }

 private:
  std::deque<Bytes> draws_;
};

}  // namespace magnetar::testing
