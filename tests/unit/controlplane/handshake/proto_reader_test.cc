// SPDX-License-Identifier: Apache-2.0
#include "controlplane/handshake/proto_reader.h"

#include <limits>

#include <gtest/gtest.h>

#include "tests/support/vectors.h"

namespace magnetar::handshake {
namespace {

using testing::from_hex;
using testing::to_hex;

TEST(ProtoReader, ReadsEveryWireType) {
  const Bytes message = from_hex(
      "089601"
      "12036162 63"
      "1900112233445566 77"
      "2501020304"
      "3000");
  ProtoReader reader(message);
  auto field = reader.next();
  ASSERT_TRUE(field);
  EXPECT_EQ(field->number, 1U);
  EXPECT_EQ(field->type, WireType::kVarint);
  EXPECT_EQ(field->number_value, 150U);
  field = reader.next();
  ASSERT_TRUE(field);
  EXPECT_EQ(field->number, 2U);
  EXPECT_EQ(field->type, WireType::kBytes);
  EXPECT_EQ(to_hex(field->bytes_value), "616263");
  field = reader.next();
  ASSERT_TRUE(field);
  EXPECT_EQ(field->number, 3U);
  EXPECT_EQ(field->type, WireType::kFixed64);
  EXPECT_EQ(to_hex(field->bytes_value), "0011223344556677");
  field = reader.next();
  ASSERT_TRUE(field);
  EXPECT_EQ(field->number, 4U);
  EXPECT_EQ(field->type, WireType::kFixed32);
  EXPECT_EQ(to_hex(field->bytes_value), "01020304");
  field = reader.next();
  ASSERT_TRUE(field);
  EXPECT_EQ(field->number, 6U);
  EXPECT_EQ(field->number_value, 0U);
  EXPECT_TRUE(reader.at_end());
  EXPECT_FALSE(reader.next());
}

TEST(ProtoReader, ReadsNumbersUpTo64Bits) {
  const struct {
    const char* why;
    const char* hex;
    std::uint64_t value;
  } cases[] = {
      {"zero", "0800", 0},
      {"one byte", "087f", 127},
      {"two bytes", "088001", 128},
      {"over-long zero", "08808080808080808080 00", 0},
      {"32 bits", "08ffffffff0f", 0xffffffffU},
      {"64 bits", "08ffffffffffffffffff01", std::numeric_limits<std::uint64_t>::max()},
      {"the largest field number", "f8ffffff0f07", 7},
  };
  for (const auto& [why, hex, value] : cases) {
    SCOPED_TRACE(why);
    const Bytes message = from_hex(hex);
    ProtoReader reader(message);
    const auto field = reader.next();
    ASSERT_TRUE(field);
    EXPECT_EQ(field->number_value, value);
    EXPECT_TRUE(reader.at_end());
  }
}

TEST(ProtoReader, StopsForGoodAtWhatIsNotProtobuf) {
  const struct {
    const char* why;
    const char* hex;
  } cases[] = {
      {"a tag cut short", "80"},
      {"a number that is missing", "08"},
      {"a number cut short", "0880"},
      {"a number of 65 bits", "08ffffffffffffffffff02"},
      {"a number of eleven bytes", "0880808080808080808080 01"},
      {"bytes without a length", "12"},
      {"bytes cut short", "120261"},
      {"a length of 64 bits", "12ffffffffffffffffff01"},
      {"fixed64 cut short", "1900112233445566"},
      {"fixed32 cut short", "25010203"},
      {"field number 0", "0001"},
      {"a field number past the largest", "808080801000"},
      {"a group", "0b0c"},
      {"the end of a group", "0c"},
      {"wire type 6", "0e"},
      {"wire type 7", "0f"},
  };
  for (const auto& [why, hex] : cases) {
    SCOPED_TRACE(why);
    const Bytes message = from_hex(std::string("0801") + hex);
    ProtoReader reader(message);
    EXPECT_TRUE(reader.next()) << "the good field before it";
    EXPECT_FALSE(reader.next());
    EXPECT_FALSE(reader.next());
    EXPECT_FALSE(reader.at_end());
  }
}

TEST(ProtoReader, AnEmptyMessageIsAtItsEnd) {
  ProtoReader reader({});
  EXPECT_FALSE(reader.next());
  EXPECT_TRUE(reader.at_end());
}

}  // namespace
}  // namespace magnetar::handshake
