// SPDX-License-Identifier: Apache-2.0
#include "dataplane/tables/route_table.h"

#include <algorithm>
#include <bit>

#include <sodium.h>

namespace magnetar {

RouteTable::RouteTable(std::uint32_t capacity, Grace& grace)
    : mask_(std::bit_ceil(std::max<std::size_t>(capacity, 64)) - 1),
      capacity_(capacity),
      buckets_(mask_ + 1),
      grace_(grace) {
  randombytes_buf(seed_.data(), sizeof(seed_));
}

void RouteTable::find(std::span<const RouteKey> keys, SessionHot** sessions) const {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const Bucket* bucket = &buckets_[bucket_of(keys[i])];
    SessionHot* found = bucket->find(keys[i]);
    while (found == nullptr) [[unlikely]] {
        bucket = bucket->more.load(std::memory_order_acquire);
        if (bucket == nullptr) break;
        found = bucket->find(keys[i]);
      }
    sessions[i] = found;
    magnetar::prefetch(found);
  }
}

RouteTable::Place RouteTable::place_of(const RouteKey& key) {
  for (Bucket* bucket = &buckets_[bucket_of(key)]; bucket != nullptr; bucket = bucket->more)
    for (std::uint8_t i = 0; i < bucket->entries.size(); ++i)
      if (bucket->entries[i].session != nullptr && bucket->entries[i].holds(key))
        return {bucket, i};
  return {nullptr, 0};
}

RouteTable::Place RouteTable::free_place(const RouteKey& key) {
  Bucket* bucket = &buckets_[bucket_of(key)];
  for (;; bucket = bucket->more) {
    for (std::uint8_t i = 0; i < bucket->entries.size(); ++i)
      if (bucket->entries[i].session == nullptr && (bucket->waiting >> i & 1U) == 0)
        return {bucket, i};
    if (bucket->more == nullptr) break;
  }
  bucket->more.store(&overflow_.emplace_back(), std::memory_order_release);
  return {bucket->more, 0};
}

bool RouteTable::set(VpnAddr addr, SessionHot* session) {
  const RouteKey key = RouteKey::of(addr.ip);
  if (const Place place = place_of(key); place.bucket != nullptr) {
    place.bucket->entries[place.entry].session.store(session, std::memory_order_release);
    return true;
  }
  if (used_ >= capacity_) return false;
  const Place place = free_place(key);
  Entry& entry = place.bucket->entries[place.entry];
  entry.high.store(key.high, std::memory_order_relaxed);
  entry.low.store(key.low, std::memory_order_relaxed);
  entry.session.store(session, std::memory_order_release);
  ++used_;
  return true;
}

// The entry's place may be given away again only when no reader can be comparing keys there.
void RouteTable::erase(VpnAddr addr) {
  const Place place = place_of(RouteKey::of(addr.ip));
  if (place.bucket == nullptr) return;
  place.bucket->entries[place.entry].session.store(nullptr, std::memory_order_release);
  place.bucket->waiting |= static_cast<std::uint8_t>(1U << place.entry);
  erased_.push_back({grace_.start(), place.bucket, place.entry});
}

void RouteTable::reap() {
  while (!erased_.empty() && grace_.passed(erased_.front().token)) {
    const Erased& done = erased_.front();
    done.bucket->waiting &= static_cast<std::uint8_t>(~(1U << done.entry));
    erased_.pop_front();
    --used_;
  }
}

}  // namespace magnetar
