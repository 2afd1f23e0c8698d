// SPDX-License-Identifier: Apache-2.0
#include "controlplane/handshake/payload.h"

#include <gtest/gtest.h>

#include "tests/support/vectors.h"

namespace magnetar::handshake {
namespace {

using testing::from_hex;
using testing::to_hex;

Payload payload_of(const char* certificate, std::uint32_t initiator, std::uint32_t responder,
                   std::uint64_t time_ns, std::uint32_t version) {
  return {from_hex(certificate), initiator, responder, time_ns, version};
}

TEST(Payload, WritesFieldsInOrderAndOmitsZeros) {
  const struct {
    const char* why;
    Payload payload;
    const char* hex;
  } cases[] = {
      {"stage 1", payload_of("aabb", 1, 0, 5, 1), "0a0a 0a02aabb 1001 2805 4001"},
      {"stage 2", payload_of("aabb", 1, 2, 5, 1), "0a0c 0a02aabb 1001 1802 2805 4001"},
      {"1.6.1 writes no version", payload_of("aabb", 1, 2, 5, 0), "0a0a 0a02aabb 1001 1802 2805"},
      {"the largest numbers", payload_of("aa", 0xffffffff, 0xffffffff, ~0ULL, 2),
       "0a1c 0a01aa 10ffffffff0f 18ffffffff0f 28ffffffffffffffffff01 4002"},
      {"a certificate alone", payload_of("aa", 0, 0, 0, 0), "0a03 0a01aa"},
  };
  for (const auto& [why, payload, hex] : cases) {
    SCOPED_TRACE(why);
    EXPECT_EQ(to_hex(write_payload(payload)), to_hex(from_hex(hex)));
    const auto parsed = parse_payload(from_hex(hex));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, payload);
  }
}

TEST(Payload, SkipsWhatItDoesNotKnow) {
  const Payload expected = payload_of("aabb", 1, 2, 5, 1);
  const struct {
    const char* why;
    const char* hex;
  } cases[] = {
      {"fields in another order", "0a0c 4001 2805 1802 1001 0a02aabb"},
      {"the cookie", "0a0e 0a02aabb 1001 1802 2007 2805 4001"},
      {"the fields of an experiment", "0a10 0a02aabb 1001 1802 2805 3001 3801 4001"},
      {"an unknown number", "0a0f 0a02aabb 1001 1802 2805 4001 f80101"},
      {"unknown bytes", "0a10 0a02aabb 1001 1802 2805 4001 7a0201 02"},
      {"unknown fixed32", "0a11 0a02aabb 1001 1802 2805 4001 7d01020304"},
      {"unknown fixed64", "0a15 0a02aabb 1001 1802 2805 4001 790102030405060708"},
      {"an HMAC", "0a0c 0a02aabb 1001 1802 2805 4001 1202ccdd"},
      {"the last of repeated fields", "0a11 0a01cc 1009 0a02aabb 1001 1802 2805 4001"},
      {"details in two parts", "0a06 0a02aabb 1001 0a06 1802 2805 4001"},
      {"over-long numbers", "0a14 0a02aabb 10818000 18828000 28858000 40818000"},
  };
  for (const auto& [why, hex] : cases) {
    SCOPED_TRACE(why);
    const auto parsed = parse_payload(from_hex(hex));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, expected);
  }
}

TEST(Payload, RefusesBrokenPayloads) {
  const struct {
    const char* why;
    const char* hex;
    PayloadError error;
  } cases[] = {
      {"empty", "", PayloadError::kMalformed},
      {"empty details", "0a00", PayloadError::kNoCertificate},
      {"no details", "1202ccdd", PayloadError::kNoCertificate},
      {"no certificate", "0a06 1001 1802 2805", PayloadError::kNoCertificate},
      {"an empty certificate", "0a04 0a00 1001", PayloadError::kNoCertificate},
      {"a certificate that is a number", "0a02 0801", PayloadError::kMalformed},
      {"an index that is bytes", "0a07 0a02aabb 120101", PayloadError::kMalformed},
      {"an index that is fixed32", "0a09 0a02aabb 1501000000", PayloadError::kMalformed},
      {"an index of 33 bits", "0a0a 0a02aabb 108080808010", PayloadError::kMalformed},
      {"a responder index of 33 bits", "0a0a 0a02aabb 188080808010", PayloadError::kMalformed},
      {"a responder index that is bytes", "0a07 0a02aabb 1a0101", PayloadError::kMalformed},
      {"a time that is fixed64", "0a0d 0a02aabb 290000000000000000", PayloadError::kMalformed},
      {"a time of 65 bits", "0a0f 0a02aabb 28ffffffffffffffffff02", PayloadError::kMalformed},
      {"a version of 33 bits", "0a0a 0a02aabb 408080808010", PayloadError::kMalformed},
      {"a version that is bytes", "0a07 0a02aabb 420101", PayloadError::kMalformed},
      {"details that are a number", "0801", PayloadError::kMalformed},
      {"details cut short", "0a05 0a02aabb", PayloadError::kMalformed},
      {"a certificate longer than the details", "0a04 0a03aabb", PayloadError::kMalformed},
      {"a bad field after a good one", "0a06 0a02aabb 1001 ff", PayloadError::kMalformed},
      {"a bad field in front", "00 0a04 0a02aabb", PayloadError::kMalformed},
      {"zeros", "0000000000", PayloadError::kMalformed},
  };
  for (const auto& [why, hex, error] : cases) {
    SCOPED_TRACE(why);
    const auto parsed = parse_payload(from_hex(hex));
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error(), error);
  }
}

TEST(Payload, NoTruncationIsMistakenForTheWhole) {
  const Payload payload = payload_of("aabbccdd", 0x11223344, 0x55667788, 1'700'000'100, 1);
  const Bytes whole = write_payload(payload);
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(parse_payload(ByteView(whole).first(size))) << size;
  EXPECT_TRUE(parse_payload(whole));
}

}  // namespace
}  // namespace magnetar::handshake
