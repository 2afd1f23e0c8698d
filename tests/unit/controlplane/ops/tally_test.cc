// SPDX-License-Identifier: Apache-2.0
#include "controlplane/ops/tally.h"

#include <gtest/gtest.h>

namespace magnetar::ops {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Tally, CountsHandshakesByRoleAndResult) {
  Tally tally;
  tally.count(HandshakeEnded{HandshakeRole::kInitiator, "ok", milliseconds(3)});
  tally.count(HandshakeEnded{HandshakeRole::kResponder, "ok", milliseconds(700)});
  tally.count(HandshakeEnded{HandshakeRole::kInitiator, "timeout", seconds(5)});
  EXPECT_EQ(tally.handshakes().at({"initiator", "ok"}), 1U);
  EXPECT_EQ(tally.handshakes().at({"responder", "ok"}), 1U);
  EXPECT_EQ(tally.handshakes().at({"initiator", "timeout"}), 1U);
  std::uint64_t observed = 0;
  for (const std::uint64_t n : tally.durations().counts) observed += n;
  EXPECT_EQ(observed, 2U) << "only good handshakes have a duration";
  EXPECT_NEAR(tally.durations().sum_s, 0.703, 1e-9);
}

TEST(Tally, ADurationOnABoundFallsIntoItsBucket) {
  Tally tally;
  tally.count(HandshakeEnded{HandshakeRole::kInitiator, "ok", seconds(10)});
  tally.count(HandshakeEnded{HandshakeRole::kInitiator, "ok", seconds(11)});
  const auto& counts = tally.durations().counts;
  EXPECT_EQ(counts[counts.size() - 2], 1U);
  EXPECT_EQ(counts.back(), 1U);
}

TEST(Tally, CountsRefusalsByReason) {
  Tally tally;
  tally.count(Refused{"race_won"});
  tally.count(Refused{"race_won"});
  EXPECT_EQ(tally.refused("race_won"), 2U);
  EXPECT_EQ(tally.refused("never_seen"), 0U);
}

TEST(Rates, AreGrowthOverTime) {
  Rates rates;
  rates.sample({{"a", 10}}, Instant(seconds(100)));
  EXPECT_EQ(rates.per_second("a"), 0) << "one look is no rate";
  rates.sample({{"a", 30}, {"b", 5}}, Instant(seconds(102)));
  EXPECT_EQ(rates.per_second("a"), 10);
  EXPECT_EQ(rates.per_second("b"), 0) << "new";
  EXPECT_EQ(rates.per_second("c"), 0) << "unknown";
}

}  // namespace
}  // namespace magnetar::ops
