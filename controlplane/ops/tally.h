// SPDX-License-Identifier: Apache-2.0
// Counts what the control plane reports: handshakes, refusals; and rates of whatever grows.
// Control thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "controlplane/action.h"
#include "controlplane/ops/snapshot.h"
#include "dataplane/base/time.h"

namespace magnetar::ops {

class Tally {
 public:
  Tally();
  void count(const Refused& refused) { ++refused_[std::string(refused.reason)]; }
  void count(const HandshakeEnded& ended);

  [[nodiscard]] std::uint64_t refused(std::string_view reason) const;
  [[nodiscard]] const std::map<std::pair<std::string, std::string>, std::uint64_t>& handshakes()
      const {
    return handshakes_;
  }
  [[nodiscard]] const HistogramView& durations() const { return durations_; }

 private:
  std::map<std::string, std::uint64_t, std::less<>> refused_;
  std::map<std::pair<std::string, std::string>, std::uint64_t> handshakes_;
  HistogramView durations_;
};

// A second's growth of named totals.
class Rates {
 public:
  // Call about once a second with the totals of that moment.
  void sample(const std::map<std::string, std::uint64_t>& totals, Instant now);
  [[nodiscard]] double per_second(const std::string& name) const;

 private:
  std::map<std::string, std::uint64_t> last_;
  std::map<std::string, double> rates_;
  Instant at_{};
};

}  // namespace magnetar::ops
