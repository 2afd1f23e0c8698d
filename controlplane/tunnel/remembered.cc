// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/remembered.h"

#include <algorithm>

namespace magnetar {

void NewestTimes::note(const VpnAddr& peer, std::uint64_t time_ns, Instant now) {
  const Entry* const known = peers_.find(peer);
  const std::uint64_t newest = known == nullptr ? time_ns : std::max(known->time_ns, time_ns);
  peers_.put(peer, {newest, now});
}

bool NewestTimes::is_old(const VpnAddr& peer, std::uint64_t time_ns, Instant now) {
  const Entry* const known = peers_.find(peer);
  return known != nullptr && time_ns <= known->time_ns && now - known->noted < kKept;
}

void WrongAddresses::add(const VpnAddr& peer, const UnderlayAddr& addr, Instant now) {
  std::vector<Entry> entries;
  if (auto* const known = peers_.find(peer)) entries = std::move(*known);
  std::erase_if(entries, [&](const Entry& entry) { return entry.addr == addr; });
  if (entries.size() == kPerPeer) entries.erase(entries.begin());
  entries.push_back({addr, now});
  peers_.put(peer, std::move(entries));
}

bool WrongAddresses::contains(const VpnAddr& peer, const UnderlayAddr& addr, Instant now) {
  const auto* const known = peers_.find(peer);
  return known != nullptr && std::ranges::any_of(*known, [&](const Entry& entry) {
           return entry.addr == addr && now - entry.since < kKept;
         });
}

}  // namespace magnetar
