// SPDX-License-Identifier: Apache-2.0
#include "dataplane/offload/checksum.h"

#include <gtest/gtest.h>

#include "tests/support/offload.h"
#include "tests/support/random.h"

namespace magnetar::offload {
namespace {

TEST(Checksum, IsThatOfTheStandard) {
  // RFC 1071, section 3: the sum of these is ddf2.
  constexpr std::array<std::uint8_t, 8> kExample{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  EXPECT_EQ(swap_bytes(fold(sum_of(std::as_bytes(std::span(kExample))))), 0xddf2);
}

TEST(Checksum, OfAnyLengthAndPlace) {
  magnetar::testing::SeededRandom random(1);
  Bytes bytes(9100);
  random.fill(bytes);
  Bytes copy(bytes.size() + 1);
  for (std::size_t size = 0; size < 9000; size += size < 200 ? 1 : 331) {
    SCOPED_TRACE(size);
    for (const std::size_t from : {0, 1, 2, 7}) {
      const ByteView part = ByteView(bytes).subspan(from, size);
      const std::uint16_t expected = magnetar::testing::plain_sum(part);
      EXPECT_EQ(swap_bytes(fold(sum_of(part))), expected);
      copy[size] = std::byte{0x5a};
      EXPECT_EQ(swap_bytes(fold(copy_and_sum(copy.data(), part))), expected);
      EXPECT_TRUE(std::ranges::equal(part, ByteView(copy).first(size)));
      EXPECT_EQ(copy[size], std::byte{0x5a}) << "not a byte too many";
    }
  }
}

TEST(Checksum, FoldsEveryCarry) {
  const Bytes ones(65534, std::byte{0xff});
  EXPECT_EQ(fold(sum_of(ones)), 0xffff) << "not 0: one's complement has two of them";
  EXPECT_EQ(fold(0), 0);
  EXPECT_EQ(fold(0xffff'ffff'ffff'ffffU), 0xffff);
  EXPECT_EQ(fold(0x1'0000'ffffU), 1);
}

TEST(Checksum, OfOneField) {
  const std::array<std::byte, 2> field{std::byte{0x12}, std::byte{0x34}};
  EXPECT_EQ(fold(sum_of_field(0x1234)), fold(sum_of(field)));
}

}  // namespace
}  // namespace magnetar::offload
