// SPDX-License-Identifier: Apache-2.0
#include "dataplane/tables/prefix_trie.h"

#include <atomic>
#include <map>
#include <random>
#include <thread>

#include <gtest/gtest.h>

namespace magnetar {
namespace {

Prefix prefix(std::string_view text) { return Prefix::parse(text).value(); }
std::uint32_t find(const PrefixTrie& trie, const IpAddr& addr) {
  return trie.find(addr.network_bytes().data(), addr.is_v4());
}
std::uint32_t find(const PrefixTrie& trie, std::string_view addr) {
  return find(trie, IpAddr::parse(addr).value());
}

TEST(PrefixTrie, TheLongestPrefixDecides) {
  Grace grace(1);
  PrefixTrie trie(grace);
  EXPECT_EQ(find(trie, "10.1.2.3"), 0U) << "nothing is there yet";
  trie.set(prefix("0.0.0.0/0"), 1);
  trie.set(prefix("10.0.0.0/8"), 2);
  trie.set(prefix("10.1.0.0/15"), 3);
  trie.set(prefix("10.1.2.0/23"), 4);
  trie.set(prefix("10.1.2.3/32"), 5);
  trie.set(prefix("2001:db8::/47"), 6);
  EXPECT_EQ(find(trie, "192.0.2.1"), 1U);
  EXPECT_EQ(find(trie, "10.200.0.1"), 2U);
  EXPECT_EQ(find(trie, "10.0.9.9"), 3U) << "host bits of a prefix do not count";
  EXPECT_EQ(find(trie, "10.1.3.255"), 4U);
  EXPECT_EQ(find(trie, "10.1.2.3"), 5U);
  EXPECT_EQ(find(trie, "2001:db8:1::7"), 6U);
  EXPECT_EQ(find(trie, "2001:db8:2::7"), 0U) << "IPv4's default is not IPv6's";
  trie.erase(prefix("10.1.2.3/32"));
  trie.erase(prefix("10.0.0.0/8"));
  EXPECT_EQ(find(trie, "10.1.2.3"), 4U);
  EXPECT_EQ(find(trie, "10.200.0.1"), 1U);
}

// The model is a map from prefix to number that is searched from the longest down.
TEST(PrefixTrie, FindsWhatAModelFinds) {
  Grace grace(1);
  PrefixTrie trie(grace);
  std::map<Prefix, std::uint32_t> model;
  std::minstd_rand random(7);
  // Few values a byte, so that prefixes meet, nest and leave empty nodes behind.
  const auto some_addr = [&] {
    std::array<std::byte, 16> bytes{};
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() % 3 * 85);
    if (random() % 2 == 0) return IpAddr::v6(bytes);
    return IpAddr::v4(std::span<const std::byte, 4>(bytes.data(), 4));
  };
  for (int change = 0; change < 20'000; ++change) {
    const IpAddr addr = some_addr();
    const Prefix one =
        Prefix{addr, static_cast<std::uint8_t>(random() % (addr.bits() + 1))}.masked();
    if (random() % 3 == 0) {
      trie.erase(one);
      model.erase(one);
      trie.reap();
    } else {
      const auto value = static_cast<std::uint32_t>(1 + random() % 1000);
      trie.set(one, value);
      model[one] = value;
    }
    const IpAddr asked = some_addr();
    std::uint32_t expected = 0;
    for (unsigned length = 0; length <= asked.bits(); ++length) {
      const auto at = model.find(Prefix{asked, static_cast<std::uint8_t>(length)}.masked());
      if (at != model.end()) expected = at->second;
    }
    ASSERT_EQ(find(trie, asked), expected) << asked.to_string() << " after " << change;
  }
}

// Fails under a sanitizer, or with a wrong answer, when a node is freed that a reader may be in.
TEST(PrefixTrie, AReaderSeesOldOrNewWhileItChanges) {
  Grace grace(1);
  PrefixTrie trie(grace);
  trie.set(prefix("10.0.0.0/8"), 1);
  std::atomic<bool> stop{false};
  std::atomic<bool> wrong{false};
  std::thread reader([&] {
    grace.enter(0);
    const IpAddr addr = IpAddr::v4(0x0a010203);
    while (!stop) {
      const std::uint32_t found = find(trie, addr);
      if (found != 1 && found != 2) wrong = true;
      grace.quiescent(0);
    }
    grace.leave(0);
  });
  for (int i = 0; i < 20'000; ++i) {
    trie.set(prefix("10.1.2.3/32"), 2);
    trie.erase(prefix("10.1.2.3/32"));
    trie.reap();
  }
  stop = true;
  reader.join();
  EXPECT_FALSE(wrong);
}

}  // namespace
}  // namespace magnetar
