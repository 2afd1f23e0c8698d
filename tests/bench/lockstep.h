// SPDX-License-Identifier: Apache-2.0
// Two threads on cores of their own that do their steps together.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>

namespace magnetar::bench {

// Both come, then both go on; neither sleeps, so that they go on at the same moment.
class Meeting {
 public:
  void wait();

 private:
  std::atomic<unsigned> arrived_{0};
  std::atomic<unsigned> round_{0};
};

// Whether this process may use a second core.
[[nodiscard]] bool has_two_cores();

// Calls `work` with 0 here, and with 1 in a thread on another core. Returns when both are done.
void on_two_cores(const std::function<void(std::size_t)>& work);

}  // namespace magnetar::bench
