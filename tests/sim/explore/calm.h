// SPDX-License-Identifier: Apache-2.0
// What follows once the network behaves: every packet arrives, in order and soon, and timers fire
// when they are due.
#pragma once

#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "tests/sim/explore/instance.h"

namespace magnetar::sim::explore {

class Calm {
 public:
  // `tries`: how many transmissions of a stage 1 must be enough for each host.
  Calm(std::vector<std::unique_ptr<Instance>>& hosts, std::vector<int> tries)
      : hosts_(hosts), tries_left_(std::move(tries)) {}

  void send(std::size_t from, const VpnAddr& to, std::string_view text);
  // False: the hosts never came to rest.
  [[nodiscard]] bool run_for(Duration time);
  // Hosts whose handshake ended for want of an answer, its last stage 1 being from before the calm.
  [[nodiscard]] const std::vector<bool>& timed_out() const { return timed_out_; }
  // Handshakes that ended for want of an answer although stage 1 was sent in the calm, often
  // enough.
  [[nodiscard]] int needless_timeouts() const { return needless_timeouts_; }

 private:
  static constexpr Duration kLatency = std::chrono::milliseconds(10);
  struct OnTheWay {
    Duration left;
    Datagram datagram;
  };
  void collect(std::size_t host);
  void deliver(const Datagram& datagram);
  void fire(std::size_t host);

  std::vector<std::unique_ptr<Instance>>& hosts_;
  std::deque<OnTheWay> flight_;
  std::vector<int> tries_left_;
  std::vector<bool> timed_out_ = std::vector<bool>(hosts_.size());
  int needless_timeouts_ = 0;
};

}  // namespace magnetar::sim::explore
