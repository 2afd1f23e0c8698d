// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/index_allocator.h"

#include <set>

#include <gtest/gtest.h>

#include "tests/support/random.h"

namespace magnetar {
namespace {

Bytes draw(std::uint32_t pick, std::uint32_t high_bits) {
  Bytes bytes(8);
  store_be<std::uint32_t>(std::span(bytes).first<4>(), pick);
  store_be<std::uint32_t>(std::span(bytes).last<4>(), high_bits);
  return bytes;
}

TEST(IndexAllocator, GivesEachSlotOnceUntilReleased) {
  testing::SeededRandom random(7);
  IndexAllocator indexes(64);
  std::set<std::uint32_t> slots;
  LocalIndex last;
  for (int i = 0; i < 64; ++i) {
    const auto index = indexes.allocate(random);
    ASSERT_TRUE(index);
    EXPECT_NE(index->raw(), 0U);
    EXPECT_TRUE(slots.insert(indexes.slot_of(*index)).second);
    last = *index;
  }
  EXPECT_FALSE(indexes.allocate(random)) << "all slots are taken";
  indexes.release(last);
  const auto again = indexes.allocate(random);
  ASSERT_TRUE(again);
  EXPECT_EQ(indexes.slot_of(*again), indexes.slot_of(last));
  EXPECT_NE(*again, last) << "the other bits are drawn anew";
}

TEST(IndexAllocator, TheSlotIsPickedAtRandomAmongTheFreeOnes) {
  testing::ScriptedRandom random;
  IndexAllocator indexes(4);
  random.expect(draw(0xffffffff, 0xabcdef00));  // the last of four
  EXPECT_EQ(indexes.allocate(random)->raw(), 0xabcdef03U);
  random.expect(draw(0x00000000, 0x11111113));  // low bits of the draw do not matter
  EXPECT_EQ(indexes.allocate(random)->raw(), 0x11111110U);
  random.expect(draw(0x80000000, 0));  // of {2, 1}: the second
  EXPECT_EQ(indexes.allocate(random)->raw(), 1U);
}

TEST(IndexAllocator, DrawsAgainRatherThanGiveZero) {
  testing::ScriptedRandom random;
  IndexAllocator indexes(4);
  random.expect(draw(0, 0x00000003));
  random.expect(draw(0, 0x00000010));
  EXPECT_EQ(indexes.allocate(random)->raw(), 0x10U);
  EXPECT_TRUE(random.used_up());
}

TEST(IndexAllocator, AllBitsVary) {
  testing::SeededRandom random(3);
  IndexAllocator indexes(65536);
  std::uint32_t ones = 0;
  std::uint32_t zeros = 0;
  for (int i = 0; i < 64; ++i) {
    const std::uint32_t index = indexes.allocate(random)->raw();
    ones |= index;
    zeros |= ~index;
  }
  EXPECT_EQ(ones, 0xffffffffU);
  EXPECT_EQ(zeros, 0xffffffffU);
}

}  // namespace
}  // namespace magnetar
