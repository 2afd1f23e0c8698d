// SPDX-License-Identifier: Apache-2.0
// Overlay address to session (rte_hash, readers without locks). Several addresses may lead to one
// session.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <span>

#include "dataplane/base/addr.h"
#include "dataplane/tables/grace.h"

struct rte_hash;

namespace magnetar {

struct Session;

class RouteTable {
 public:
  static constexpr std::size_t kMaxBurst = 64;

  RouteTable(std::uint32_t capacity, Grace& grace);
  ~RouteTable();
  RouteTable(const RouteTable&) = delete;
  RouteTable& operator=(const RouteTable&) = delete;

  // Workers: the sessions of up to kMaxBurst mapped addresses; nullptr where there is none. Valid
  // until the worker is quiescent.
  void find(std::span<const std::array<std::byte, 16>> addrs, const Session** sessions) const;

  // Control thread. False: the table is full.
  [[nodiscard]] bool set(VpnAddr addr, const Session* session);
  void erase(VpnAddr addr);
  // Makes room of what every worker has let go of. Never waits.
  void reap();

 private:
  struct Erased {
    Grace::Token token;
    std::int32_t position;
  };

  rte_hash* hash_;
  Grace& grace_;
  std::deque<Erased> erased_;  // oldest first
};

}  // namespace magnetar
