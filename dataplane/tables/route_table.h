// SPDX-License-Identifier: Apache-2.0
// Overlay address to session, read without locks. Several addresses may lead to one session.
//
// Made for bursts of addresses at random: a look-up reads one cache line (a bucket of two entries,
// rarely a second bucket behind it) and waits for none of it, since a burst's buckets are touched
// before the first is read. rte_hash costs 50 to 60 cycles an address beyond the cache misses, and
// three lines (docs/performance.md).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <deque>
#include <span>

#include "dataplane/base/addr.h"
#include "dataplane/base/huge_memory.h"
#include "dataplane/base/prefetch.h"
#include "dataplane/tables/grace.h"

namespace magnetar {

struct SessionHot;

// A mapped address (IpAddr) as two words, in the byte order of memory.
struct RouteKey {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  // `addr`: 4 or 16 bytes, network byte order.
  [[nodiscard]] static RouteKey of(const std::byte* addr, bool v4) {
    RouteKey key;
    if (v4) {
      std::uint32_t value = 0;
      std::memcpy(&value, addr, sizeof(value));
      key.low = 0xffff0000U | (std::uint64_t{value} << 32U);
    } else {
      std::memcpy(&key, addr, sizeof(key));
    }
    return key;
  }
  [[nodiscard]] static RouteKey of(const IpAddr& addr) { return of(addr.mapped().data(), false); }
  [[nodiscard]] IpAddr addr() const {
    std::array<std::byte, IpAddr::kSize> bytes;
    std::memcpy(bytes.data(), this, sizeof(bytes));
    return IpAddr::v6(bytes);
  }
  friend bool operator==(const RouteKey&, const RouteKey&) = default;
};

class RouteTable {
 public:
  static constexpr std::size_t kMaxBurst = 64;

  // `capacity`: addresses at most.
  RouteTable(std::uint32_t capacity, Grace& grace);
  RouteTable(const RouteTable&) = delete;
  RouteTable& operator=(const RouteTable&) = delete;

  // Workers: the sessions of up to kMaxBurst addresses, what sealing needs of them asked for;
  // nullptr where there is none. Valid until the worker is quiescent.
  void find(std::span<const RouteKey> keys, SessionHot** sessions) const;

  // Worth a call as soon as the address is known, some packets before find().
  void prefetch(const RouteKey& key) const { magnetar::prefetch(&buckets_[bucket_of(key)]); }

  // Control thread. False: the table is full.
  [[nodiscard]] bool set(VpnAddr addr, SessionHot* session);
  void erase(VpnAddr addr);
  // Makes room of what every worker has let go of. Never waits.
  void reap();

 private:
  // In use: `session` is set. Free: `erased` is not set either. A reader that sees a session sees
  // its key, since the key of an entry changes only after a grace period without a session.
  struct Entry {
    std::atomic<SessionHot*> session{nullptr};
    std::atomic<std::uint64_t> high{0};
    std::atomic<std::uint64_t> low{0};
    [[nodiscard]] bool holds(const RouteKey& key) const {
      return ((high.load(std::memory_order_relaxed) ^ key.high) |
              (low.load(std::memory_order_relaxed) ^ key.low)) == 0;
    }
  };
  struct alignas(64) Bucket {
    std::array<Entry, 2> entries;
    std::atomic<Bucket*> more{nullptr};
    std::uint8_t waiting = 0;  // control thread: a bit for each entry that waits for the workers

    // Chosen without branches: which of the two it is cannot be foretold.
    [[nodiscard]] SessionHot* find(const RouteKey& key) const {
      SessionHot* const first = entries[0].session.load(std::memory_order_acquire);
      SessionHot* const second = entries[1].session.load(std::memory_order_acquire);
      SessionHot* const mine = entries[0].holds(key) ? first : nullptr;
      SessionHot* const other = entries[1].holds(key) ? second : nullptr;
      return mine != nullptr ? mine : other;
    }
  };
  struct Erased {
    Grace::Token token;
    Bucket* bucket;
    std::uint8_t entry;
  };

  // Seeded, so that nobody can pick addresses that meet in one bucket.
  [[nodiscard]] std::size_t bucket_of(const RouteKey& key) const {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(key.high ^ seed_[0]) * (key.low ^ seed_[1]);
    const auto mixed =
        static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
    return (mixed ^ (mixed >> 32U)) & mask_;
  }
  // The bucket and the number of the entry that holds the key; no bucket: there is none.
  struct Place {
    Bucket* bucket;
    std::uint8_t entry;
  };
  [[nodiscard]] Place place_of(const RouteKey& key);
  [[nodiscard]] Place free_place(const RouteKey& key);

  std::size_t mask_;
  std::uint32_t capacity_;
  std::uint32_t used_ = 0;  // with those that wait
  HugeArray<Bucket> buckets_;
  std::deque<Bucket> overflow_;  // buckets behind full ones; kept where they are
  std::array<std::uint64_t, 2> seed_;
  Grace& grace_;
  std::deque<Erased> erased_;  // oldest first
};

}  // namespace magnetar
