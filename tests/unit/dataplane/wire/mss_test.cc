// SPDX-License-Identifier: Apache-2.0
#include "dataplane/wire/mss.h"

#include <gtest/gtest.h>

#include "tests/support/inner_packets.h"
#include "tests/support/offload.h"

namespace magnetar::wire {
namespace {

using testing::checksums_right;

constexpr std::size_t kMtu = 1240;

Bytes bytes(std::initializer_list<unsigned> values) {
  Bytes out;
  for (const unsigned value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}

// A TCP packet without data; `options` are filled up with zeros.
Bytes tcp(bool v4, std::uint8_t flags, Bytes options) {
  options.resize((options.size() + 3) / 4 * 4);
  const std::size_t size = 20 + options.size();
  Bytes packet = v4 ? testing::ipv4(IpAddr::v4(0x0a2a0001), IpAddr::v4(0x0a2a0002), size)
                    : testing::ipv6("fd42::1", "fd42::2", size);
  packet[v4 ? 9 : 6] = std::byte{6};
  std::byte* const header = &packet[v4 ? 20 : 40];
  header[12] = static_cast<std::byte>(size / 4 << 4U);
  header[13] = std::byte{flags};
  std::ranges::copy(options, header + 20);
  testing::finish(packet);
  return packet;
}

constexpr std::uint8_t kSyn = 0x02;
constexpr std::uint8_t kSynAck = 0x12;
constexpr std::uint8_t kAck = 0x10;

TEST(Mss, IsLoweredToWhatFitsAndNothingElseChanges) {
  struct Case {
    const char* why;
    std::uint8_t flags;
    Bytes before;
    unsigned at;  // of the number, in the options
  };
  const Case cases[] = {
      {"first", kSyn, bytes({2, 4, 0x05, 0xb4, 1, 3, 3, 7}), 2},
      {"in the answer", kSynAck, bytes({2, 4, 0x05, 0xb4}), 2},
      {"at an odd place", kSyn, bytes({1, 2, 4, 0x05, 0xb4, 0}), 3},
      {"at an odd place behind others", kSyn, bytes({3, 3, 7, 2, 4, 0xff, 0xff, 4, 2}), 5},
      {"at an even place that is not a multiple of four", kSyn, bytes({1, 1, 2, 4, 5, 0xb4}), 4},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    for (const bool v4 : {true, false}) {
      Bytes packet = tcp(v4, c.flags, c.before);
      ASSERT_TRUE(checksums_right(packet));
      Bytes after = c.before;
      store_be_at(&after[c.at], static_cast<std::uint16_t>(kMtu - (v4 ? 40 : 60)));
      EXPECT_TRUE(clamp_mss(packet, kMtu));
      EXPECT_TRUE(checksums_right(packet));
      EXPECT_EQ(packet, tcp(v4, c.flags, after));
      EXPECT_FALSE(clamp_mss(packet, kMtu)) << "it fits now";
    }
  }
}

TEST(Mss, TheChecksumStaysRightWhateverTheNumbers) {
  for (unsigned mss = 1; mss <= 0xffff; mss += 7) {
    for (const std::size_t mtu : {41U, 500U, 1240U, 9000U}) {
      for (const bool odd : {false, true}) {
        Bytes options = bytes({2, 4, mss >> 8U, mss & 0xffU});
        if (odd) options.insert(options.begin(), std::byte{1});
        Bytes packet = tcp(true, kSyn, options);
        EXPECT_EQ(clamp_mss(packet, mtu), mss > mtu - 40);
        ASSERT_TRUE(checksums_right(packet)) << mss << " to " << mtu;
      }
    }
  }
}

TEST(Mss, WhatIsNotOneIsLeftAlone) {
  Bytes later = tcp(true, kSyn, bytes({2, 4, 0x05, 0xb4}));
  later[7] = std::byte{1};  // offset of a fragment
  Bytes udp = tcp(true, kSyn, bytes({2, 4, 0x05, 0xb4}));
  udp[9] = std::byte{17};
  Bytes extended = tcp(false, kSyn, bytes({2, 4, 0x05, 0xb4}));
  extended[6] = std::byte{0};
  Bytes long_header = tcp(true, kSyn, bytes({2, 4, 0x05, 0xb4}));
  long_header[0] = std::byte{0x4f};
  Bytes short_header = tcp(true, kSyn, bytes({2, 4, 0x05, 0xb4}));
  short_header[0] = std::byte{0x44};
  Bytes long_options = tcp(true, kSyn, bytes({2, 4, 0x05, 0xb4}));
  long_options[32] = std::byte{0xf0};
  Bytes no_options = tcp(true, kSyn, bytes({2, 4, 0x05, 0xb4}));
  no_options[32] = std::byte{0x40};
  Bytes version = tcp(true, kSyn, bytes({2, 4, 0x05, 0xb4}));
  version[0] = std::byte{0x55};
  const std::pair<const char*, Bytes> cases[] = {
      {"small enough", tcp(true, kSyn, bytes({2, 4, 0x04, 0xb0}))},
      {"no option", tcp(true, kSyn, bytes({1, 1, 3, 3}))},
      {"behind the end of options", tcp(true, kSyn, bytes({0, 2, 4, 0xff, 0xff}))},
      {"no beginning of a connection", tcp(true, kAck, bytes({2, 4, 0x05, 0xb4}))},
      {"an option of length 0", tcp(true, kSyn, bytes({9, 0, 2, 4, 0xff, 0xff}))},
      {"an option of length 1", tcp(true, kSyn, bytes({9, 1, 2, 4, 0xff, 0xff}))},
      {"an option that ends behind the header", tcp(true, kSyn, bytes({2, 4, 5, 180, 9, 40}))},
      {"an MSS cut short", tcp(true, kSyn, bytes({1, 1, 1, 1, 1, 2, 4, 0xff}))},
      {"a kind without a length", tcp(true, kSyn, bytes({1, 1, 1, 2}))},
      {"an MSS of another length", tcp(true, kSyn, bytes({2, 3, 0xff, 2, 6, 0xff, 0xff, 0xff}))},
      {"a later fragment", later},
      {"UDP", udp},
      {"IPv6 with an extension header", extended},
      {"an IP header longer than the packet", long_header},
      {"an IP header that is too short", short_header},
      {"options longer than the packet", long_options},
      {"a TCP header that is too short", no_options},
      {"another version", version},
      {"nothing", Bytes{}},
  };
  for (const auto& [why, before] : cases) {
    SCOPED_TRACE(why);
    const bool clamped_before_it = std::string_view(why) == "an option that ends behind the header";
    Bytes packet = before;
    EXPECT_EQ(clamp_mss(packet, kMtu), clamped_before_it);
    if (!clamped_before_it) {
      EXPECT_EQ(packet, before);
    }
    for (std::size_t size = 0; size < before.size(); ++size) {
      Bytes cut(before.begin(), before.begin() + static_cast<std::ptrdiff_t>(size));
      cut.shrink_to_fit();  // a byte too many is found
      EXPECT_FALSE(clamp_mss(cut, kMtu)) << size;
    }
  }
  Bytes packet = tcp(true, kSyn, bytes({2, 4, 0x05, 0xb4}));
  EXPECT_FALSE(clamp_mss(packet, 40)) << "a path that carries nothing";
}

}  // namespace
}  // namespace magnetar::wire
