// SPDX-License-Identifier: Apache-2.0
// Empty packet buffers at hand for one queue: taken from the pool many at a time, and kept when
// there is nothing to read into them, so that polling an idle device allocates nothing.
#pragma once

#include <array>

#include <rte_mbuf.h>

namespace magnetar {

class MbufStore {
 public:
  explicit MbufStore(rte_mempool* pool) : pool_(pool) {}
  ~MbufStore() { rte_pktmbuf_free_bulk(mbufs_.data(), count_); }
  MbufStore(const MbufStore&) = delete;
  MbufStore& operator=(const MbufStore&) = delete;

  // The next one, which stays here until take(); none: the pool is empty.
  [[nodiscard]] rte_mbuf* peek() {
    if (count_ == 0) {
      if (rte_pktmbuf_alloc_bulk(pool_, mbufs_.data(), kMost) != 0) return nullptr;
      count_ = kMost;
    }
    return mbufs_[count_ - 1];
  }
  void take() { --count_; }

 private:
  static constexpr unsigned kMost = 32;

  rte_mempool* pool_;
  std::array<rte_mbuf*, kMost> mbufs_{};
  unsigned count_ = 0;
};

}  // namespace magnetar
