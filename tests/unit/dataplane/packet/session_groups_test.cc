// SPDX-License-Identifier: Apache-2.0
#include "dataplane/packet/session_groups.h"

#include <map>
#include <random>
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
      const std::uint8_t group = groups.add(session, i);
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

}  // namespace
}  // namespace magnetar
