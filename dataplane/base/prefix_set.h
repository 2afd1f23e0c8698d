// SPDX-License-Identifier: Apache-2.0
// A handful of prefixes, asked for every packet: our addresses, our networks, a peer's sources.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "dataplane/base/addr.h"

namespace magnetar {

// Immutable once filled. The first IPv4 prefix lies in the object itself: most sets have no other.
class PrefixSet {
 public:
  PrefixSet() = default;
  PrefixSet(std::initializer_list<Prefix> prefixes) {
    for (const Prefix& prefix : prefixes) add(prefix);
  }
  void add(const Prefix& prefix);
  void add(const IpAddr& host) { add({host, static_cast<std::uint8_t>(host.bits())}); }

  // `addr`: 4 or 16 bytes, network byte order.
  [[nodiscard]] bool contains(const std::byte* addr, bool v4) const {
    return v4 ? contains_v4(addr) : contains_v6(addr);
  }
  // The line that an IPv6 address is compared with first; IPv4 needs what the object begins with.
  [[nodiscard]] const void* v6_line() const { return &first_v6_; }
  [[nodiscard]] bool contains(const IpAddr& addr) const {
    return contains(addr.network_bytes().data(), addr.is_v4());
  }

 private:
  // Both in the byte order of memory: a packet's bytes are compared as they lie.
  struct V4 {
    std::uint32_t network;
    std::uint32_t mask;
    [[nodiscard]] bool matches(std::uint32_t addr) const { return (addr & mask) == network; }
  };
  struct V6 {
    std::uint64_t network[2];
    std::uint64_t mask[2];
    [[nodiscard]] bool matches(const std::uint64_t (&addr)[2]) const {
      return (((addr[0] & mask[0]) ^ network[0]) | ((addr[1] & mask[1]) ^ network[1])) == 0;
    }
  };

  [[nodiscard]] bool contains_v4(const std::byte* addr) const {
    std::uint32_t value = 0;
    std::memcpy(&value, addr, sizeof(value));
    if (first_v4_.matches(value)) return true;
    for (const V4& v4 : more_v4_)
      if (v4.matches(value)) return true;
    return false;
  }
  [[nodiscard]] bool contains_v6(const std::byte* addr) const {
    std::uint64_t value[2];
    std::memcpy(value, addr, sizeof(value));
    if (first_v6_.matches(value)) return true;
    for (const V6& v6 : more_v6_)
      if (v6.matches(value)) return true;
    return false;
  }

  // The first ones match nothing until they are set. In this order each lies in one line of the
  // session that it is part of.
  V4 first_v4_{1, 0};
  std::vector<V4> more_v4_;
  V6 first_v6_{{1, 0}, {0, 0}};
  std::vector<V6> more_v6_;
};

}  // namespace magnetar
