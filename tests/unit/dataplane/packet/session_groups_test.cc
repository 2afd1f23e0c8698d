// SPDX-License-Identifier: Apache-2.0
#include "dataplane/packet/session_groups.h"

#include <algorithm>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/tables/session_hot.h"

namespace magnetar {
namespace {

std::vector<std::uint8_t> packets_of(const SessionGroups& groups, const SessionGroup& group) {
  std::vector<std::uint8_t> packets;
  std::uint8_t packet = group.first;
  for (std::uint8_t left = group.packets; left > 0; --left, packet = groups.next(packet))
    packets.push_back(packet);
  return packets;
}

// Whatever the mix, a session has one group that holds its packets in order: the model is a map.
TEST(SessionGroups, HoldEachSessionsPacketsOnceAndInOrder) {
  std::vector<SessionHot> sessions(SessionGroups::kMost);
  std::minstd_rand random(1);
  SessionGroups groups;  // used again and again: clear() has to forget everything
  for (int round = 0; round < 2000; ++round) {
    SCOPED_TRACE(round);
    const std::size_t different = 1 + random() % sessions.size();
    const std::size_t packets = random() % (SessionGroups::kMost + 1);
    std::map<SessionHot*, std::vector<std::uint8_t>> expected;
    std::map<SessionHot*, std::uint32_t> bytes;
    groups.clear();
    for (std::uint8_t i = 0; i < packets; ++i) {
      SessionHot* session = &sessions[random() % different];
      const std::uint8_t group = groups.add(session, session->seal_mark, i);
      EXPECT_EQ(groups[group].session, session);
      expected[session].push_back(i);
      bytes[session] += i;
    }
    groups.finish();
    ASSERT_EQ(groups.groups().size(), expected.size());
    for (const SessionGroup& group : groups.groups()) {
      EXPECT_EQ(packets_of(groups, group), expected[group.session]);
      EXPECT_EQ(group.bytes, bytes[group.session]);
    }
  }
}

// Another worker's burst takes the marks in between: a session may then have two groups, but each
// packet is in one, with its own session's and in order.
TEST(SessionGroups, LoseNothingToAnotherWorkersBurst) {
  std::vector<SessionHot> sessions(SessionGroups::kMost);
  std::minstd_rand random(2);
  SessionGroups groups;
  SessionGroups others;
  for (int round = 0; round < 2000; ++round) {
    SCOPED_TRACE(round);
    const std::size_t different = 1 + random() % sessions.size();
    std::vector<SessionHot*> expected;
    groups.clear();
    others.clear();
    for (std::size_t i = 0; i < SessionGroups::kMost; ++i) {
      SessionHot* theirs = &sessions[random() % different];
      (void)others.add(theirs, theirs->seal_mark, 1);
      expected.push_back(&sessions[random() % different]);
      const std::uint8_t group = groups.add(expected.back(), expected.back()->seal_mark, 1);
      EXPECT_EQ(groups[group].session, expected.back());
    }
    groups.finish();
    std::vector<SessionHot*> seen(SessionGroups::kMost);
    for (const SessionGroup& group : groups.groups()) {
      const auto packets = packets_of(groups, group);
      EXPECT_TRUE(std::ranges::is_sorted(packets));
      EXPECT_EQ(group.bytes, packets.size());
      for (const std::uint8_t packet : packets) {
        EXPECT_EQ(std::exchange(seen[packet], group.session), nullptr);
      }
    }
    ASSERT_EQ(seen, expected);
  }
}

}  // namespace
}  // namespace magnetar
