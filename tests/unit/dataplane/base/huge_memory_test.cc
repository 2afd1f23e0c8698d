// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/huge_memory.h"

#include <cstring>
#include <set>

#include <gtest/gtest.h>

namespace magnetar {
namespace {

TEST(HugeMemory, IsZeroedAlignedAndWritableToItsEnd) {
  for (const std::size_t bytes : {1U, 4096U, 1U << 20U, (2U << 20U) - 1, 5U << 20U}) {
    SCOPED_TRACE(bytes);
    const HugeMemory memory(bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.data()) % 4096, 0U);
    if (bytes >= 1U << 20U) {
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.data()) % (2U << 20U), 0U);
    }
    EXPECT_EQ(memory.data()[bytes - 1], std::byte{0});
    std::memset(memory.data(), 1, bytes);
  }
}

TEST(HugeSlab, GivesEachObjectItsOwnLines) {
  HugeSlab slab(192);
  std::set<std::uintptr_t> taken;
  // More than a chunk holds.
  for (std::size_t i = 0; i < (3U << 20U) / 192; ++i) {
    void* object = slab.take();
    std::memset(object, static_cast<int>(i), 192);
    const auto address = reinterpret_cast<std::uintptr_t>(object);
    EXPECT_EQ(address % 64, 0U);
    ASSERT_TRUE(taken.insert(address).second) << "twice the same";
    const auto at = taken.find(address);
    if (at != taken.begin()) {
      EXPECT_GE(address - *std::prev(at), 192U);
    }
  }
  slab.give(reinterpret_cast<void*>(*taken.begin()));
  EXPECT_EQ(slab.take(), reinterpret_cast<void*>(*taken.begin())) << "what is free is used again";
}

}  // namespace
}  // namespace magnetar
