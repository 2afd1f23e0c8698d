// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/addr.h"

#include <algorithm>
#include <string>
#include <unordered_set>
#include <vector>

#include <gtest/gtest.h>

namespace magnetar {
namespace {

IpAddr ip(std::string_view text) { return IpAddr::parse(text).value(); }
Prefix prefix(std::string_view text) { return Prefix::parse(text).value(); }

TEST(IpAddr, ParsesAndPrintsBothFamilies) {
  const struct {
    const char* why;
    std::string_view text;
    const char* printed;  // null: refused
    bool v4;
  } cases[] = {
      {"dotted quad", "10.42.0.1", "10.42.0.1", true},
      {"unspecified", "0.0.0.0", "0.0.0.0", true},
      {"all ones", "255.255.255.255", "255.255.255.255", true},
      {"short form", "fd00::1", "fd00::1", false},
      {"long form", "fd00:0:0:0:0:0:0:1", "fd00::1", false},
      {"unspecified", "::", "::", false},
      {"mapped is IPv4", "::ffff:10.0.0.1", "10.0.0.1", true},
      {"the longest text", "1111:2222:3333:4444:5555:6666:7777:8888",
       "1111:2222:3333:4444:5555:6666:7777:8888", false},
      {"empty", "", nullptr, false},
      {"three parts", "10.0.1", nullptr, false},
      {"part over 255", "10.0.0.256", nullptr, false},
      {"trailing blank", "10.0.0.1 ", nullptr, false},
      {"prefix length", "10.0.0.1/8", nullptr, false},
      {"zone", "fe80::1%eth0", nullptr, false},
      {"brackets", "[::1]", nullptr, false},
      {"longer than any address", "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa", nullptr,
       false},
      {"a zero byte inside", {"10.0.0.1\0x", 10}, nullptr, false},
  };
  for (const auto& [why, text, printed, v4] : cases) {
    SCOPED_TRACE(std::string(why) + ": " + std::string(text));
    const auto parsed = IpAddr::parse(text);
    ASSERT_EQ(parsed.has_value(), printed != nullptr);
    if (!parsed) continue;
    EXPECT_EQ(parsed->to_string(), printed);
    EXPECT_EQ(parsed->is_v4(), v4);
    EXPECT_EQ(parsed->bits(), v4 ? 32U : 128U);
    EXPECT_EQ(parsed->network_bytes().size(), v4 ? 4U : 16U);
  }
}

TEST(IpAddr, KnowsWhatAnAddressIsFor) {
  const struct {
    const char* text;
    bool unspecified, multicast, loopback, link_local;
  } cases[] = {
      {"0.0.0.0", true, false, false, false},     {"::", true, false, false, false},
      {"0.0.0.1", false, false, false, false},    {"223.255.255.255", false, false, false, false},
      {"224.0.0.0", false, true, false, false},   {"239.255.255.255", false, true, false, false},
      {"240.0.0.0", false, false, false, false},  {"ff02::1", false, true, false, false},
      {"fe00::1", false, false, false, false},    {"127.0.0.1", false, false, true, false},
      {"127.255.0.3", false, false, true, false}, {"128.0.0.1", false, false, false, false},
      {"::1", false, false, true, false},         {"::2", false, false, false, false},
      {"169.254.1.1", false, false, false, true}, {"169.253.1.1", false, false, false, false},
      {"fe80::1", false, false, false, true},     {"febf::1", false, false, false, true},
      {"fec0::1", false, false, false, false},    {"10.42.0.1", false, false, false, false},
  };
  for (const auto& [text, unspecified, multicast, loopback, link_local] : cases) {
    SCOPED_TRACE(text);
    const IpAddr addr = ip(text);
    EXPECT_EQ(addr.is_unspecified(), unspecified);
    EXPECT_EQ(addr.is_multicast(), multicast);
    EXPECT_EQ(addr.is_loopback(), loopback);
    EXPECT_EQ(addr.is_link_local(), link_local);
  }
}

TEST(IpAddr, OrdersV4BeforeV6ThenByBytes) {
  const std::vector<std::string> ordered{"0.0.0.0", "9.255.0.0", "10.0.0.1", "255.255.255.255",
                                         "::",      "::1",       "fd00::1",  "fd00::2"};
  for (std::size_t i = 0; i < ordered.size(); ++i)
    for (std::size_t j = 0; j < ordered.size(); ++j)
      EXPECT_EQ(ip(ordered[i]) <=> ip(ordered[j]), i <=> j) << ordered[i] << ' ' << ordered[j];
}

TEST(IpAddr, V4FromNumberAndBytesAgree) {
  const std::array bytes{std::byte{10}, std::byte{42}, std::byte{0}, std::byte{1}};
  EXPECT_EQ(IpAddr::v4(bytes), IpAddr::v4(0x0a2a0001));
  EXPECT_EQ(IpAddr::v4(0x0a2a0001), ip("10.42.0.1"));
  EXPECT_EQ(ip("10.42.0.1").v4_value(), 0x0a2a0001U);
  EXPECT_EQ(IpAddr::v6(ip("10.42.0.1").mapped()), ip("10.42.0.1"));
}

TEST(IpAddr, HashesApart) {
  std::unordered_set<IpAddr> seen;
  for (std::uint32_t i = 0; i < 1000; ++i) seen.insert(IpAddr::v4(0x0a000000 + i));
  EXPECT_EQ(seen.size(), 1000U);
  EXPECT_TRUE(seen.contains(ip("10.0.3.231")));
  EXPECT_FALSE(seen.contains(ip("10.0.3.232")));
}

TEST(UnderlayAddr, NeedsAPortAndBracketsForV6) {
  const struct {
    const char* why;
    const char* text;
    bool good;
  } cases[] = {
      {"IPv4", "192.0.2.1:4242", true},
      {"IPv6", "[2001:db8::1]:4242", true},
      {"the last port", "192.0.2.1:65535", true},
      {"no port", "192.0.2.1", false},
      {"empty port", "192.0.2.1:", false},
      {"port 0", "192.0.2.1:0", false},
      {"port past the last", "192.0.2.1:65536", false},
      {"port past any number", "192.0.2.1:99999999999", false},
      {"signed port", "192.0.2.1:-1", false},
      {"plus sign", "192.0.2.1:+1", false},
      {"IPv6 without brackets", "2001:db8::1:4242", false},
      {"IPv4 in brackets", "[192.0.2.1]:4242", false},
      {"a name", "example.org:4242", false},
      {"empty", "", false},
      {"a colon", ":", false},
  };
  for (const auto& [why, text, good] : cases) {
    SCOPED_TRACE(why);
    const auto parsed = UnderlayAddr::parse(text);
    ASSERT_EQ(parsed.has_value(), good);
    if (!parsed) continue;
    EXPECT_EQ(parsed->to_string(), text);
  }
}

TEST(Prefix, ParsesWithALengthOfItsFamily) {
  const struct {
    const char* why;
    const char* text;
    bool good;
  } cases[] = {
      {"host bits kept", "10.42.0.1/16", true},    {"everything", "0.0.0.0/0", true},
      {"one address", "10.42.0.1/32", true},       {"IPv6", "fd00::1/64", true},
      {"one IPv6 address", "fd00::1/128", true},   {"no length", "10.42.0.1", false},
      {"empty length", "10.42.0.1/", false},       {"too long", "10.42.0.1/33", false},
      {"too long for IPv6", "fd00::1/129", false}, {"past any byte", "10.42.0.1/272", false},
      {"two lengths", "10.42.0.1/16/16", false},   {"no address", "/16", false},
  };
  for (const auto& [why, text, good] : cases) {
    SCOPED_TRACE(why);
    const auto parsed = Prefix::parse(text);
    ASSERT_EQ(parsed.has_value(), good);
    if (!parsed) continue;
    EXPECT_EQ(parsed->to_string(), text);
  }
}

TEST(Prefix, ContainsAddressesAndNarrowerPrefixes) {
  const struct {
    const char* why;
    const char* outer;
    const char* inner;
    bool contained;
  } cases[] = {
      {"itself", "10.42.0.0/16", "10.42.0.0/16", true},
      {"host bits do not matter", "10.42.7.7/16", "10.42.0.1/16", true},
      {"narrower", "10.42.0.0/16", "10.42.9.0/24", true},
      {"wider, same address", "10.42.0.0/16", "10.42.0.0/15", false},
      {"next to it", "10.42.0.0/16", "10.43.0.0/16", false},
      {"not on a byte boundary, in", "10.42.64.0/18", "10.42.127.255/32", true},
      {"not on a byte boundary, out", "10.42.64.0/18", "10.42.128.0/32", false},
      {"all of IPv4", "0.0.0.0/0", "255.255.255.255/32", true},
      {"all of IPv4 is no IPv6", "0.0.0.0/0", "fd00::1/128", false},
      {"all of IPv6 is no IPv4", "::/0", "10.0.0.1/32", false},
      {"IPv6", "fd00::/64", "fd00::1:2/128", true},
      {"IPv6 outside", "fd00::/64", "fd00:0:0:1::/128", false},
      {"one address", "10.0.0.1/32", "10.0.0.1/32", true},
      {"the next address", "10.0.0.1/32", "10.0.0.2/32", false},
  };
  for (const auto& [why, outer, inner, contained] : cases) {
    SCOPED_TRACE(why);
    EXPECT_EQ(prefix(outer).contains(prefix(inner)), contained);
    if (prefix(inner).length != prefix(inner).addr.bits()) continue;
    EXPECT_EQ(prefix(outer).contains(prefix(inner).addr), contained);
  }
}

TEST(Prefix, MasksHostBits) {
  const struct {
    const char* text;
    const char* masked;
  } cases[] = {
      {"10.42.7.9/16", "10.42.0.0/16"},      {"10.42.255.255/17", "10.42.128.0/17"},
      {"10.42.7.9/32", "10.42.7.9/32"},      {"255.255.255.255/0", "0.0.0.0/0"},
      {"255.255.255.255/1", "128.0.0.0/1"},  {"fd00::1:2:3:4/64", "fd00::/64"},
      {"fd00:ffff::1/17", "fd00:8000::/17"}, {"::1/0", "::/0"},
  };
  for (const auto& [text, masked] : cases) EXPECT_EQ(prefix(text).masked(), prefix(masked)) << text;
}

TEST(MacAddr, PrintsLowerCaseHex) {
  const MacAddr mac{std::byte{0x02}, std::byte{0xab}, std::byte{0},
                    std::byte{0xff}, std::byte{0x10}, std::byte{0x09}};
  EXPECT_EQ(to_string(mac), "02:ab:00:ff:10:09");
}

}  // namespace
}  // namespace magnetar
