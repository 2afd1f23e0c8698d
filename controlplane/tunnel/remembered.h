// SPDX-License-Identifier: Apache-2.0
// What is known of peers beyond the life of one tunnel or handshake; of so many peers and no more.
// Control thread only.
#pragma once

#include <cstdint>
#include <vector>

#include "controlplane/pki/lru_map.h"
#include "dataplane/base/addr.h"
#include "dataplane/base/time.h"

namespace magnetar {

// The Time of the newest stage 1 whose sender turned out to hold the keys: an old one that is
// replayed after the tunnel is gone gets no answer. Only confirmed ones count, since anybody can
// make up a stage 1 with a Time far ahead and would shut the peer out; and not for ever, since a
// peer's clock may be set back.
class NewestTimes {
 public:
  static constexpr std::size_t kPeers = 8192;
  static constexpr Duration kKept = std::chrono::minutes(10);

  void note(const VpnAddr& peer, std::uint64_t time_ns, Instant now);
  // True: a stage 1 with this Time is a replay.
  [[nodiscard]] bool is_old(const VpnAddr& peer, std::uint64_t time_ns, Instant now);
  // The peer has lost its memory: so must we.
  void forget(const VpnAddr& peer) { peers_.erase(peer); }

  struct Entry {
    std::uint64_t time_ns = 0;
    Instant noted;
  };
  [[nodiscard]] const LruMap<VpnAddr, Entry>& peers() const { return peers_; }

 private:
  LruMap<VpnAddr, Entry> peers_{kPeers};
};

// Underlay addresses where somebody else than the peer answered. They are left out until a
// handshake with the peer completes; after a minute they get another chance, since the right host
// may have moved there and there may be no other way to learn of it.
class WrongAddresses {
 public:
  static constexpr std::size_t kPeers = 4096;
  static constexpr std::size_t kPerPeer = 16;
  static constexpr Duration kKept = std::chrono::minutes(1);

  void add(const VpnAddr& peer, const UnderlayAddr& addr, Instant now);
  [[nodiscard]] bool contains(const VpnAddr& peer, const UnderlayAddr& addr, Instant now);
  void forget(const VpnAddr& peer) { peers_.erase(peer); }
  void forget_all() { peers_.clear(); }

  struct Entry {
    UnderlayAddr addr;
    Instant since;
  };
  [[nodiscard]] const LruMap<VpnAddr, std::vector<Entry>>& peers() const { return peers_; }

 private:
  LruMap<VpnAddr, std::vector<Entry>> peers_{kPeers};
};

}  // namespace magnetar
