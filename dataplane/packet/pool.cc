// SPDX-License-Identifier: Apache-2.0
#include "dataplane/packet/pool.h"

#include <memory>

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_mempool.h>

#include "dataplane/base/huge_memory.h"
#include "dataplane/packet/meta.h"

namespace magnetar {
namespace {

int here() { return static_cast<int>(rte_socket_id()); }

struct PoolDeleter {
  void operator()(rte_mempool* pool) const { rte_mempool_free(pool); }
};
using Pool = std::unique_ptr<rte_mempool, PoolDeleter>;

Pool make_empty(const PacketPoolShape& shape) {
  const auto element = static_cast<unsigned>(sizeof(rte_mbuf) + kMbufPrivateSize + shape.data_room);
  // Pages that are neighbours for the process are so for whoever reads the buffers.
  Pool pool(rte_mempool_create_empty(shape.name, shape.mbufs, element, shape.cache,
                                     sizeof(rte_pktmbuf_pool_private), here(),
                                     RTE_MEMPOOL_F_NO_IOVA_CONTIG));
  if (!pool) return nullptr;
  rte_pktmbuf_pool_private rules{};
  rules.mbuf_data_room_size = shape.data_room;
  rules.mbuf_priv_size = kMbufPrivateSize;
  rte_pktmbuf_pool_init(pool.get(), &rules);
  if (rte_mempool_set_ops_byname(pool.get(), rte_mbuf_best_mempool_ops(), nullptr) != 0)
    return nullptr;
  return pool;
}

void forget(rte_mempool_memhdr*, void* memory) { delete static_cast<HugeMemory*>(memory); }

// Page by page: no buffer lies across two, which need not be neighbours for a device. The pool owns
// `memory` once it is full.
bool fill(rte_mempool& pool, std::unique_ptr<HugeMemory>& memory, std::size_t pages) {
  for (std::size_t i = 0; i < pages; ++i) {
    std::byte* const page = memory->data() + i * kHugePage;
    const bool last = i + 1 == pages;
    const int added = rte_mempool_populate_iova(
        &pool, reinterpret_cast<char*>(page), reinterpret_cast<rte_iova_t>(page), kHugePage,
        last ? forget : nullptr, last ? memory.get() : nullptr);  // NOLINT: DPDK's own types
    if (added <= 0) return false;
  }
  memory.release();
  return pool.populated_size == pool.size;
}

}  // namespace

rte_mempool* make_packet_pool(const PacketPoolShape& shape) {
  return rte_pktmbuf_pool_create(shape.name, shape.mbufs, shape.cache, kMbufPrivateSize,
                                 shape.data_room, here());
}

rte_mempool* make_packed_packet_pool(const PacketPoolShape& shape) {
  {
    std::unique_ptr<HugeMemory> memory;  // outlives the pool
    Pool pool = make_empty(shape);
    if (!pool) return nullptr;
    const std::size_t stride = pool->header_size + pool->elt_size + pool->trailer_size;
    const std::size_t a_page = kHugePage / stride;
    const std::size_t pages = (shape.mbufs + a_page - 1) / a_page;
    memory = std::make_unique<HugeMemory>(pages * kHugePage);

    if (memory->collapse() && fill(*pool, memory, pages)) {
      rte_mempool_obj_iter(pool.get(), rte_pktmbuf_init, nullptr);
      return pool.release();
    }
  }
  return make_packet_pool(shape);
}

}  // namespace magnetar
