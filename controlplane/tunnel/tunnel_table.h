// SPDX-License-Identifier: Apache-2.0
// All tunnels that stand, found by any of their names. Control thread only; emits nothing.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "controlplane/tunnel/tunnel.h"

namespace magnetar {

class TunnelTable {
 public:
  static constexpr std::size_t kMaxPerPeer = 5;

  [[nodiscard]] TunnelTable duplicate() const;

  // First: the tunnel becomes the primary of each of its overlay addresses. Spare: only where there
  // is none yet. `tunnel.check_at` is its first time.
  enum class Place : std::uint8_t { kFirst, kSpare };
  Tunnel& insert(Tunnel tunnel, Place place = Place::kFirst);
  // Makes it the primary of each of its addresses.
  void prefer(Tunnel& tunnel);
  // Takes it out of every list; the next newest of an address is its primary then.
  void erase(LocalIndex local);

  [[nodiscard]] Tunnel* find(LocalIndex local);
  [[nodiscard]] Tunnel* primary(const VpnAddr& addr) const;
  // Every tunnel to this address, the primary first, the oldest last.
  [[nodiscard]] std::span<Tunnel* const> all(const VpnAddr& addr) const;
  // The primaries of its addresses, itself left out: tunnels to one peer need not serve the same
  // ones (Identity::served).
  [[nodiscard]] std::vector<Tunnel*> used_beside(const Tunnel& tunnel) const;
  [[nodiscard]] Tunnel* find_answered(const Stage1Id& stage_1) const;
  // Tunnels whose peer chose this index; peers may collide.
  [[nodiscard]] std::vector<Tunnel*> with_remote(RemoteIndex remote) const;

  void reschedule(Tunnel& tunnel, Instant check_at);
  // The one whose check is due first; null: none is.
  [[nodiscard]] Tunnel* next_due(Instant now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;

  [[nodiscard]] std::size_t size() const { return by_local_.size(); }
  [[nodiscard]] const std::map<LocalIndex, std::unique_ptr<Tunnel>>& by_local() const {
    return by_local_;
  }
  [[nodiscard]] const std::map<VpnAddr, std::vector<Tunnel*>>& by_addr() const { return by_addr_; }

 private:
  // The name is in the tunnel: no second copy for the look-up.
  struct ByStage1 {
    using is_transparent = void;
    static const Stage1Id& id(const Tunnel* tunnel) { return tunnel->answer->stage_1; }
    static const Stage1Id& id(const Stage1Id& stage_1) { return stage_1; }
    bool operator()(const auto& a, const auto& b) const { return id(a) < id(b); }
  };
  void forget_answered(const Stage1Id& stage_1);

  std::map<LocalIndex, std::unique_ptr<Tunnel>> by_local_;
  std::map<VpnAddr, std::vector<Tunnel*>> by_addr_;
  std::set<Tunnel*, ByStage1> by_stage_1_;  // those with an answer
  std::unordered_multimap<RemoteIndex, Tunnel*> by_remote_;
  std::set<std::pair<Instant, LocalIndex>> by_time_;
};

}  // namespace magnetar
