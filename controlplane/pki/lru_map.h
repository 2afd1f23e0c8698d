// SPDX-License-Identifier: Apache-2.0
// A map that never holds more than so many entries: a new one pushes the least recently used out.
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <utility>

namespace magnetar {

template <typename Key, typename Value>
class LruMap {
 public:
  explicit LruMap(std::size_t capacity) : capacity_(capacity) {}
  LruMap(const LruMap& other) : capacity_(other.capacity_) {
    for (auto at = other.order_.rbegin(); at != other.order_.rend(); ++at)
      put(at->first, at->second);
  }
  LruMap& operator=(const LruMap&) = delete;
  LruMap(LruMap&&) noexcept = default;
  LruMap& operator=(LruMap&&) noexcept = default;
  ~LruMap() = default;

  // Counts as a use.
  [[nodiscard]] Value* find(const Key& key) {
    const auto at = places_.find(key);
    if (at == places_.end()) return nullptr;
    order_.splice(order_.begin(), order_, at->second);
    return &at->second->second;
  }
  void put(const Key& key, Value value) {
    if (Value* const known = find(key)) {
      *known = std::move(value);
      return;
    }
    if (order_.size() == capacity_) {
      places_.erase(order_.back().first);
      order_.pop_back();
    }
    order_.emplace_front(key, std::move(value));
    places_.emplace(key, order_.begin());
  }
  void erase(const Key& key) {
    const auto at = places_.find(key);
    if (at == places_.end()) return;
    order_.erase(at->second);
    places_.erase(at);
  }
  void clear() {
    places_.clear();
    order_.clear();
  }
  [[nodiscard]] std::size_t size() const { return order_.size(); }
  // The most recently used first.
  [[nodiscard]] const std::list<std::pair<Key, Value>>& entries() const { return order_; }

 private:
  using Order = std::list<std::pair<Key, Value>>;
  std::size_t capacity_;
  Order order_;
  std::map<Key, typename Order::iterator> places_;
};

}  // namespace magnetar
