// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/tunnel_table.h"

#include <algorithm>

#include <sodium.h>

#include "dataplane/base/check.h"
#include "dataplane/wire/header.h"

namespace magnetar {

Stage1Id stage_1_id(ByteView packet) {
  const ByteView body = packet.subspan(wire::Header::kSize);
  Stage1Id id;
  crypto_generichash(u8(MutableBytes(id)), id.size(), u8(body), body.size(), nullptr, 0);
  return id;
}

TunnelTable TunnelTable::duplicate() const {
  TunnelTable copy;
  for (const auto& [local, tunnel] : by_local_)
    copy.by_local_.emplace(local, std::make_unique<Tunnel>(*tunnel));
  const auto twin = [&](const Tunnel* tunnel) { return copy.by_local_.at(tunnel->local).get(); };
  for (const auto& [addr, list] : by_addr_)
    for (const Tunnel* const tunnel : list) copy.by_addr_[addr].push_back(twin(tunnel));
  for (const Tunnel* const tunnel : by_stage_1_) copy.by_stage_1_.insert(twin(tunnel));
  copy.by_time_ = by_time_;
  for (const auto& [remote, tunnel] : by_remote_) copy.by_remote_.emplace(remote, twin(tunnel));
  return copy;
}

Tunnel& TunnelTable::insert(Tunnel tunnel, Place place) {
  auto owned = std::make_unique<Tunnel>(std::move(tunnel));
  Tunnel& stored = *owned;
  const bool fresh = by_local_.emplace(stored.local, std::move(owned)).second;
  MAGNETAR_CHECK(fresh);
  for (const VpnAddr& addr : stored.overlay_addrs) {
    auto& list = by_addr_[addr];
    const bool behind = place == Place::kSpare && !list.empty();
    list.insert(list.begin() + (behind ? 1 : 0), &stored);
  }
  by_remote_.emplace(stored.remote, &stored);
  if (stored.answer) {
    forget_answered(stored.answer->stage_1);
    by_stage_1_.insert(&stored);
  }
  by_time_.emplace(stored.check_at, stored.local);
  return stored;
}

void TunnelTable::prefer(Tunnel& tunnel) {
  for (const VpnAddr& addr : tunnel.overlay_addrs) {
    auto& list = by_addr_.at(addr);
    const auto at = std::ranges::find(list, &tunnel);
    std::rotate(list.begin(), at, at + 1);
  }
}

void TunnelTable::erase(LocalIndex local) {
  const auto at = by_local_.find(local);
  if (at == by_local_.end()) return;
  Tunnel* const gone = at->second.get();
  for (const VpnAddr& addr : gone->overlay_addrs) {
    const auto list = by_addr_.find(addr);
    if (list == by_addr_.end()) continue;
    std::erase(list->second, gone);
    if (list->second.empty()) by_addr_.erase(list);
  }
  auto [begin, end] = by_remote_.equal_range(gone->remote);
  by_remote_.erase(std::find_if(begin, end, [&](const auto& one) { return one.second == gone; }));
  if (gone->answer) forget_answered(gone->answer->stage_1);
  by_time_.erase({gone->check_at, local});
  by_local_.erase(at);
}

void TunnelTable::forget_answered(const Stage1Id& stage_1) {
  const auto at = by_stage_1_.find(stage_1);
  if (at != by_stage_1_.end()) by_stage_1_.erase(at);
}

void TunnelTable::reschedule(Tunnel& tunnel, Instant check_at) {
  by_time_.erase({tunnel.check_at, tunnel.local});
  tunnel.check_at = check_at;
  by_time_.emplace(check_at, tunnel.local);
}

Tunnel* TunnelTable::next_due(Instant now) {
  if (by_time_.empty() || by_time_.begin()->first > now) return nullptr;
  return find(by_time_.begin()->second);
}

std::optional<Instant> TunnelTable::next_timeout() const {
  if (by_time_.empty()) return std::nullopt;
  return by_time_.begin()->first;
}

Tunnel* TunnelTable::find(LocalIndex local) {
  const auto at = by_local_.find(local);
  return at == by_local_.end() ? nullptr : at->second.get();
}

Tunnel* TunnelTable::primary(const VpnAddr& addr) const {
  const auto list = all(addr);
  return list.empty() ? nullptr : list.front();
}

std::span<Tunnel* const> TunnelTable::all(const VpnAddr& addr) const {
  const auto list = by_addr_.find(addr);
  if (list == by_addr_.end()) return {};
  return list->second;
}

std::vector<Tunnel*> TunnelTable::used_beside(const Tunnel& tunnel) const {
  std::vector<Tunnel*> others;
  for (const VpnAddr& addr : tunnel.overlay_addrs) {
    Tunnel* const used = primary(addr);
    const bool known = used == &tunnel || std::ranges::find(others, used) != others.end();
    if (used != nullptr && !known) others.push_back(used);
  }
  return others;
}

Tunnel* TunnelTable::find_answered(const Stage1Id& stage_1) const {
  const auto at = by_stage_1_.find(stage_1);
  return at == by_stage_1_.end() ? nullptr : *at;
}

std::vector<Tunnel*> TunnelTable::with_remote(RemoteIndex remote) const {
  std::vector<Tunnel*> found;
  const auto [begin, end] = by_remote_.equal_range(remote);
  for (auto at = begin; at != end; ++at) found.push_back(at->second);
  return found;
}

}  // namespace magnetar
