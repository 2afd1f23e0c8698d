// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/prefix_set.h"

#include <random>

#include <gtest/gtest.h>

namespace magnetar {
namespace {

IpAddr addr(const char* text) { return *IpAddr::parse(text); }

TEST(PrefixSet, HoldsWhatItWasGiven) {
  struct Case {
    const char* why;
    std::vector<const char*> prefixes;
    const char* addr;
    bool expected;
  };
  const Case cases[] = {
      {"empty holds nothing", {}, "10.0.0.1", false},
      {"not even 0.0.0.0", {}, "0.0.0.0", false},
      {"nor IPv6", {}, "::", false},
      {"host bits of a prefix do not matter", {"10.42.0.1/16"}, "10.42.255.255", true},
      {"just outside", {"10.42.0.1/16"}, "10.43.0.0", false},
      {"the second of two", {"10.0.0.0/8", "192.0.2.7/32"}, "192.0.2.7", true},
      {"neither of two", {"10.0.0.0/8", "192.0.2.7/32"}, "192.0.2.8", false},
      {"/0 holds all of its family", {"0.0.0.0/0"}, "255.255.255.255", true},
      {"and none of the other", {"0.0.0.0/0"}, "2001:db8::1", false},
      {"IPv6 across the middle", {"2001:db8::/65"}, "2001:db8::7fff:ffff:ffff:ffff", true},
      {"IPv6 just outside", {"2001:db8::/65"}, "2001:db8::8000:0:0:0", false},
      {"IPv6 host", {"10.0.0.0/8", "fd42::1/128"}, "fd42::1", true},
      {"::/0 holds no IPv4", {"::/0"}, "10.0.0.1", false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    PrefixSet set;
    for (const char* prefix : c.prefixes) set.add(*Prefix::parse(prefix));
    EXPECT_EQ(set.contains(addr(c.addr)), c.expected);
  }
}

TEST(PrefixSet, AgreesWithPrefix) {
  std::mt19937 random(3);
  for (int i = 0; i < 20'000; ++i) {
    const Prefix prefix{IpAddr::v4(random() & 0xff0000ffU),
                        static_cast<std::uint8_t>(random() % 33)};
    const IpAddr other = IpAddr::v4(random() & 0xff0000ffU);
    EXPECT_EQ(PrefixSet{prefix}.contains(other), prefix.contains(other));
  }
}

}  // namespace
}  // namespace magnetar
