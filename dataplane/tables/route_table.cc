// SPDX-License-Identifier: Apache-2.0
#include "dataplane/tables/route_table.h"

#include <atomic>
#include <string>

#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_lcore.h>

#include "dataplane/base/check.h"

namespace magnetar {

RouteTable::RouteTable(std::uint32_t capacity, Grace& grace) : grace_(grace) {
  static std::atomic<unsigned> instances{0};  // DPDK wants names that differ
  const std::string name = "magnetar_routes_" + std::to_string(instances++);
  rte_hash_parameters parameters{};
  parameters.name = name.c_str();
  parameters.entries = capacity < 64 ? 64 : capacity;
  parameters.key_len = IpAddr::kSize;
  parameters.hash_func = rte_hash_crc;
  parameters.socket_id = static_cast<int>(rte_socket_id());
  parameters.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF | RTE_HASH_EXTRA_FLAGS_EXT_TABLE;
  hash_ = rte_hash_create(&parameters);
  MAGNETAR_CHECK(hash_ != nullptr);
}

RouteTable::~RouteTable() { rte_hash_free(hash_); }

void RouteTable::find(std::span<const std::array<std::byte, 16>> addrs,
                      const Session** sessions) const {
  std::array<const void*, kMaxBurst> keys;
  std::array<void*, kMaxBurst> found{};
  for (std::size_t i = 0; i < addrs.size(); ++i) keys[i] = addrs[i].data();
  std::uint64_t hits = 0;
  const int count = rte_hash_lookup_bulk_data(
      hash_, keys.data(), static_cast<std::uint32_t>(addrs.size()), &hits, found.data());
  for (std::size_t i = 0; i < addrs.size(); ++i)
    sessions[i] =
        count > 0 && (hits >> i & 1U) != 0 ? static_cast<const Session*>(found[i]) : nullptr;
}

bool RouteTable::set(VpnAddr addr, const Session* session) {
  // rte_hash keeps the pointer and never writes through it.
  return rte_hash_add_key_data(hash_, addr.ip.mapped().data(), const_cast<Session*>(session)) == 0;
}

// The entry's place may be given away again only when no reader can be comparing keys there.
void RouteTable::erase(VpnAddr addr) {
  const std::int32_t position = rte_hash_del_key(hash_, addr.ip.mapped().data());
  if (position >= 0) erased_.push_back({grace_.start(), position});
}

void RouteTable::reap() {
  while (!erased_.empty() && grace_.passed(erased_.front().token)) {
    rte_hash_free_key_with_position(hash_, erased_.front().position);
    erased_.pop_front();
  }
}

}  // namespace magnetar
