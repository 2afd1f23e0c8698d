// SPDX-License-Identifier: Apache-2.0
#include "dataplane/packet/pool.h"

#include <algorithm>
#include <set>
#include <vector>

#include <gtest/gtest.h>
#include <rte_mbuf.h>

#include "dataplane/base/huge_memory.h"
#include "dataplane/packet/meta.h"
#include "tests/support/eal.h"

namespace magnetar {
namespace {

constexpr unsigned kMbufs = 4095;
constexpr std::uint16_t kRoom = 2304;

std::uintptr_t address(const rte_mbuf* mbuf) {
  return reinterpret_cast<std::uintptr_t>(mbuf);  // NOLINT: where it lies is what is tested
}

class PackedPool : public ::testing::Test {
 protected:
  PackedPool() {
    testing::ensure_eal();
    pool_.reset(make_packed_packet_pool({.name = "packed", .mbufs = kMbufs, .data_room = kRoom}));
    if (pool_) rte_pktmbuf_alloc_bulk(pool_.get(), mbufs_.data(), kMbufs);
  }
  ~PackedPool() override { rte_pktmbuf_free_bulk(mbufs_.data(), kMbufs); }

  testing::Pool pool_;
  std::vector<rte_mbuf*> mbufs_ = std::vector<rte_mbuf*>(kMbufs);
};

TEST_F(PackedPool, HoldsWhatWasAskedForWithRoomOfItsOwn) {
  ASSERT_NE(pool_, nullptr);
  EXPECT_EQ(rte_mempool_avail_count(pool_.get()), 0U);
  for (std::size_t i = 0; i < mbufs_.size(); ++i) {
    ASSERT_NE(mbufs_[i], nullptr);
    EXPECT_EQ(mbufs_[i]->buf_len, kRoom);
    std::fill_n(static_cast<std::byte*>(rte_mbuf_to_priv(mbufs_[i])), kMbufPrivateSize,
                static_cast<std::byte>(i));
    std::fill_n(static_cast<std::byte*>(mbufs_[i]->buf_addr), kRoom, static_cast<std::byte>(i));
  }
  for (std::size_t i = 0; i < mbufs_.size(); ++i) {
    const auto* data = static_cast<const std::byte*>(mbufs_[i]->buf_addr);
    ASSERT_EQ(std::count(data, data + kRoom, static_cast<std::byte>(i)), kRoom) << i;
  }
}

TEST_F(PackedPool, LiesInHugePagesAndSpreadsOverTheCache) {
  HugeMemory probe(kHugePage);
  if (!probe.collapse()) GTEST_SKIP() << "this kernel gives no transparent huge pages";
  ASSERT_NE(pool_, nullptr);
  std::set<std::uintptr_t> sets;  // of a first-level cache: by the bits within a page
  for (const rte_mbuf* mbuf : mbufs_) {
    sets.insert(address(mbuf) % 4096 / 64);
    const std::uintptr_t last = address(mbuf) + sizeof(rte_mbuf) + kMbufPrivateSize + kRoom - 1;
    EXPECT_EQ(address(mbuf) / kHugePage, last / kHugePage) << "across two pages";
  }
  EXPECT_EQ(sets.size(), 64U);
}

}  // namespace
}  // namespace magnetar
