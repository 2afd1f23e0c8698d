// SPDX-License-Identifier: Apache-2.0
#include "dataplane/wire/header.h"

#include <gtest/gtest.h>

#include "tests/support/vectors.h"

namespace magnetar::wire {
namespace {

using testing::from_hex;
using testing::to_hex;

TEST(Header, ParsesAndWritesEveryType) {
  const struct {
    const char* why;
    const char* bytes;
    Header header;
  } cases[] = {
      {"stage 1", "10000000000000000000000000000001", {MessageType::kHandshake, 0, 0, Counter{1}}},
      {"data",
       "11000000556677880000000000000003",
       {MessageType::kMessage, 0, 0x55667788, Counter{3}}},
      {"relay envelope",
       "110100000a0b0c0d0000000000000007",
       {MessageType::kMessage, 1, 0x0a0b0c0d, Counter{7}}},
      {"recv_error",
       "1200000099aabbcc0000000000000000",
       {MessageType::kRecvError, 0, 0x99aabbcc, Counter{0}}},
      {"lighthouse",
       "1300000055667788000000000000000c",
       {MessageType::kLighthouse, 0, 0x55667788, Counter{12}}},
      {"test reply",
       "14010000112233440000000000000004",
       {MessageType::kTest, 1, 0x11223344, Counter{4}}},
      {"close tunnel",
       "15000000112233440000000000000003",
       {MessageType::kCloseTunnel, 0, 0x11223344, Counter{3}}},
      {"control, the last counter",
       "1600000011223344ffffffffffffffff",
       {MessageType::kControl, 0, 0x11223344, Counter{0xffffffffffffffffU}}},
  };
  for (const auto& [why, bytes, header] : cases) {
    SCOPED_TRACE(why);
    const auto parsed = parse_header(from_hex(bytes));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, header);
    std::array<std::byte, Header::kSize> written;
    write_header(written, header);
    EXPECT_EQ(to_hex(written), bytes);
  }
}

TEST(Header, IgnoresReservedBytesAndWhatFollows) {
  const auto parsed = parse_header(from_hex("1100ffff556677880000000000000003aabbcc"));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, (Header{MessageType::kMessage, 0, 0x55667788, Counter{3}}));
}

TEST(Header, RefusesEveryLengthBelowItsOwn) {
  const Bytes whole = from_hex("11000000556677880000000000000003");
  for (std::size_t size = 0; size < Header::kSize; ++size) {
    SCOPED_TRACE(size);
    const auto parsed = parse_header(ByteView(whole).first(size));
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error(), WireError::kTooShort);
  }
}

// All 65,536 values of the first two bytes, against the list of wire.md 1.1.
TEST(Header, AcceptsExactlyTheAssignedTypesAndSubtypes) {
  const auto is_assigned = [](unsigned type, unsigned subtype) {
    if (type == 1 || type == 4) return subtype <= 1;
    return type <= 6 && subtype == 0;
  };
  Bytes packet(Header::kSize);
  for (unsigned first = 0; first < 256; ++first) {
    for (unsigned subtype = 0; subtype < 256; ++subtype) {
      packet[0] = static_cast<std::byte>(first);
      packet[1] = static_cast<std::byte>(subtype);
      const auto parsed = parse_header(packet);
      const bool right_version = first >> 4U == 1;
      ASSERT_EQ(parsed.has_value(), right_version && is_assigned(first & 0xfU, subtype))
          << first << ' ' << subtype;
      if (parsed) continue;
      ASSERT_EQ(parsed.error(), right_version ? WireError::kBadType : WireError::kBadVersion);
    }
  }
}

}  // namespace
}  // namespace magnetar::wire
