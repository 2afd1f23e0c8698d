// SPDX-License-Identifier: Apache-2.0
// Where packets to the inside go when that is a port: the kernel's routes and neighbours, as
// workers ask for them. A next hop that moves to another MAC address is one store, however many
// routes go through it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "dataplane/base/addr.h"
#include "dataplane/tables/prefix_trie.h"

namespace magnetar {

// What a route says of its packets.
struct RouteHop {
  enum class Kind : std::uint8_t {
    kKernel,   // the kernel's: its own addresses, routes out of other interfaces, refusals
    kOnLink,   // the destination itself is the neighbour
    kGateway,  // `gateway` is
  };
  Kind kind = Kind::kKernel;
  IpAddr gateway{};
  friend bool operator==(const RouteHop&, const RouteHop&) = default;
};

class Fib {
 public:
  // What becomes of one packet.
  enum class Way : std::uint8_t { kNoRoute, kKernel, kUnresolved, kNeighbour };
  struct Found {
    Way way = Way::kNoRoute;
    MacAddr mac{};  // of kNeighbour
  };

  explicit Fib(Grace& grace);
  Fib(const Fib&) = delete;
  Fib& operator=(const Fib&) = delete;

  // Workers. `destination`: 4 or 16 bytes.
  [[nodiscard]] Found find(const std::byte* destination, bool v4) const;

  // Control thread. False: no place for one more next hop.
  bool set_route(const Prefix& prefix, const RouteHop& hop);
  void erase_route(const Prefix& prefix);
  // None: it is not known (any more).
  bool set_neighbour(const IpAddr& ip, const std::optional<MacAddr>& mac);
  // Whether packets went to this neighbour since the last call.
  [[nodiscard]] bool take_used(const IpAddr& ip);
  void reap();
  [[nodiscard]] std::size_t routes() const { return routes_.size(); }

 private:
  static constexpr std::uint32_t kSlots = 65536;
  static constexpr std::uint32_t kKernelSlot = 1;
  static constexpr std::uint32_t kOnLinkSlot = 2;
  static constexpr std::uint32_t kFirstSlot = 3;
  // Six bytes of MAC address, in the order of memory, and that they are known.
  static constexpr std::uint64_t kKnown = std::uint64_t{1} << 48U;
  struct Slot {
    std::atomic<std::uint64_t> mac{0};
    std::atomic<bool> used{false};
  };
  struct Neighbour {
    std::uint32_t slot = 0;
    std::uint32_t routes = 0;  // through it
    bool known = false;
  };

  Neighbour* neighbour_of(const IpAddr& ip);
  void release(const IpAddr& ip, Neighbour& neighbour);
  static Prefix host(const IpAddr& ip) { return {ip, static_cast<std::uint8_t>(ip.bits())}; }

  struct PrefixHash {
    std::size_t operator()(const Prefix& prefix) const {
      return std::hash<IpAddr>{}(prefix.addr) * 131 + prefix.length;
    }
  };

  Grace& grace_;
  PrefixTrie to_hop_;
  PrefixTrie on_link_;  // neighbours that are known
  std::unique_ptr<Slot[]> slots_;
  std::unordered_map<Prefix, RouteHop, PrefixHash> routes_;
  std::unordered_map<IpAddr, Neighbour> neighbours_;
  std::uint32_t next_slot_ = kFirstSlot;
  std::vector<std::uint32_t> free_slots_;
  std::vector<std::pair<Grace::Token, std::uint32_t>> retired_slots_;  // a worker may know them
};

}  // namespace magnetar
