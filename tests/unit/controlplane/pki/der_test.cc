// SPDX-License-Identifier: Apache-2.0
#include "controlplane/pki/der.h"

#include <limits>

#include <gtest/gtest.h>

#include "tests/support/vectors.h"

namespace magnetar::pki {
namespace {

using testing::from_hex;
using testing::to_hex;

std::string zeros(std::size_t bytes) { return std::string(2 * bytes, '0'); }

TEST(DerReader, TakesOneFormOfEachLength) {
  const struct {
    const char* why;
    std::string hex;
    int content;  // bytes, -1: refused
  } cases[] = {
      {"nothing", "", -1},
      {"a tag alone", "80", -1},
      {"empty", "8000", 0},
      {"one byte", "8001aa", 1},
      {"127 bytes", "807f" + zeros(127), 127},
      {"128 bytes", "808180" + zeros(128), 128},
      {"255 bytes", "8081ff" + zeros(255), 255},
      {"256 bytes", "80820100" + zeros(256), 256},
      {"another element behind it", "8001aa8001bb", 1},
      {"a byte missing", "8002aa", -1},
      {"many bytes missing", "8082ffff00", -1},
      {"127 bytes in the long form", "80817f" + zeros(127), -1},
      {"255 bytes in two", "808200ff" + zeros(255), -1},
      {"one byte in two", "80820001aa", -1},
      {"three bytes of length", "8083000001aa", -1},
      {"eight bytes of length", "808800000000000000010a", -1},
      {"a length that is all ones", "80ff" + zeros(255), -1},
      {"no fixed length", "8080aa0000", -1},
      {"the length is cut off", "8081", -1},
      {"the second byte of the length is cut off", "808201", -1},
      {"another tag", "8101aa", -1},
      {"a tag of more bytes", "9f8001aa", -1},
  };
  for (const auto& [why, hex, content] : cases) {
    SCOPED_TRACE(why);
    const Bytes bytes = from_hex(hex);
    DerReader reader(bytes);
    const auto taken = reader.take(0x80);
    ASSERT_EQ(taken.has_value(), content >= 0);
    if (!taken) {
      EXPECT_EQ(reader.at_end(), bytes.empty()) << "the reader stays where it is";
      continue;
    }
    EXPECT_EQ(taken->size(), static_cast<std::size_t>(content));
    DerReader again(bytes);
    const auto whole = again.take_whole(0x80);
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole->data(), bytes.data());
    EXPECT_EQ(whole->data() + whole->size(), taken->data() + taken->size());
  }
}

TEST(DerReader, GoesThroughWhatThereIs) {
  const Bytes bytes = from_hex("8001aa a10481028001 830100");
  DerReader reader(bytes);
  EXPECT_TRUE(reader.next_has(0x80));
  EXPECT_FALSE(reader.take(0x81)) << "another tag";
  EXPECT_EQ(to_hex(reader.take(0x80).value()), "aa");
  EXPECT_TRUE(reader.skip());
  EXPECT_FALSE(reader.at_end());
  EXPECT_EQ(to_hex(reader.take_whole(0x83).value()), "830100");
  EXPECT_TRUE(reader.at_end());
  EXPECT_FALSE(reader.next_has(0));
  EXPECT_FALSE(reader.skip());
}

TEST(Der, IntegersHaveOneForm) {
  const struct {
    const char* hex;
    std::int64_t value;
  } good[] = {
      {"00", 0},
      {"01", 1},
      {"7f", 127},
      {"0080", 128},
      {"ff", -1},
      {"80", -128},
      {"ff7f", -129},
      {"6553f100", 1'700'000'000},
      {"00f4865700", 4'102'444'800},
      {"7fffffffffffffff", std::numeric_limits<std::int64_t>::max()},
      {"8000000000000000", std::numeric_limits<std::int64_t>::min()},
  };
  for (const auto& [hex, value] : good) {
    SCOPED_TRACE(hex);
    EXPECT_EQ(der_integer(from_hex(hex)), value);
    Bytes element;
    append_der_integer(element, 0x85, value);
    EXPECT_EQ(to_hex(ByteView(element).subspan(2)), hex);
  }
  for (const char* hex : {"", "0000", "007f", "ffff", "ff80", "000000000000000000",
                          "008000000000000000", "00ffffffffffffffff"}) {
    SCOPED_TRACE(hex);
    EXPECT_FALSE(der_integer(from_hex(hex)));
  }
}

TEST(Der, WritesTheShortestLength) {
  const struct {
    std::size_t size;
    const char* header;
  } cases[] = {{0, "8200"},     {127, "827f"},     {128, "828180"},
               {255, "8281ff"}, {256, "82820100"}, {65535, "8282ffff"}};
  for (const auto& [size, header] : cases) {
    SCOPED_TRACE(header);
    Bytes out;
    append_der(out, 0x82, Bytes(size));
    EXPECT_EQ(to_hex(ByteView(out).first(out.size() - size)), header);
    DerReader reader(out);
    EXPECT_EQ(reader.take(0x82).value().size(), size);
  }
}

}  // namespace
}  // namespace magnetar::pki
