// SPDX-License-Identifier: Apache-2.0
// What one path carries, searched for by packets of the size in question that the peer has to
// answer (RFC 8899, DPLPMTUD). ICMP is not asked: anybody can write it. Pure; no clock of its own.
#pragma once

#include <cstdint>
#include <optional>

#include "dataplane/base/time.h"

namespace magnetar {

// Sizes are those of outer IP packets, in bytes. It begins with the most that the port carries, and
// is lowered only once a smaller packet was answered and three of the larger size were not.
class PathMtu {
 public:
  static constexpr Duration kAnswerWithin = std::chrono::seconds(1);
  static constexpr int kProbes = 3;  // unanswered, and the size is taken for too large
  static constexpr Duration kConfirmEvery = std::chrono::seconds(30);  // a path that is used
  static constexpr Duration kRaiseEvery = std::chrono::seconds(600);
  static constexpr std::uint16_t kBase = 1280;  // carried nearly everywhere
  static constexpr std::uint16_t kLeastIpv4 = 576;

  PathMtu(bool v4, std::uint16_t most)
      : least_(v4 ? kLeastIpv4 : kBase), most_(most), mtu_(most), too_large_(most + 1U) {}

  struct Step {
    std::optional<std::uint16_t> probe;  // a packet of this size, now
    Duration again;                      // until on_timer()
  };
  // `used`: packets left through it since it was asked last. Nobody is asked about an idle path.
  [[nodiscard]] Step on_timer(Instant now, bool used);
  // The peer has had a packet of `size`. None: it was not asked for.
  [[nodiscard]] std::optional<Step> on_answer(std::uint16_t size, Instant now);

  [[nodiscard]] std::uint16_t mtu() const { return mtu_; }

 private:
  [[nodiscard]] Step probe(std::uint32_t size);
  [[nodiscard]] Step failed();
  [[nodiscard]] Step search(Instant now);
  [[nodiscard]] Step rest();

  std::uint16_t least_;
  std::uint16_t most_;
  std::uint16_t mtu_;
  std::uint16_t answered_ = 0;  // the largest size that was, in this search
  std::uint32_t too_large_;     // the smallest size that was not
  std::uint16_t probe_ = 0;     // under way; 0: none
  int lost_ = 0;                // of that size
  bool searching_ = false;      // else it confirms what it has
  Instant raised_at_{};         // the last search above what it has
};

}  // namespace magnetar
