// SPDX-License-Identifier: Apache-2.0
#include "dataplane/tables/route_table.h"

#include <atomic>
#include <string>

#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_lcore.h>

#include "dataplane/base/check.h"

namespace magnetar {

RouteTable::RouteTable(std::uint32_t capacity, Grace& grace) {
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
  rte_hash_rcu_config rcu{};
  rcu.v = grace.raw();
  rcu.mode = RTE_HASH_QSBR_MODE_DQ;
  MAGNETAR_CHECK(rte_hash_rcu_qsbr_add(hash_, &rcu) == 0);
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

void RouteTable::erase(VpnAddr addr) { rte_hash_del_key(hash_, addr.ip.mapped().data()); }

}  // namespace magnetar
