// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/tunnel_table.h"

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
  for (const auto& [id, tunnel] : by_stage_1_) copy.by_stage_1_.emplace(id, twin(tunnel));
  for (const auto& [remote, tunnel] : by_remote_) copy.by_remote_.emplace(remote, twin(tunnel));
  return copy;
}

Tunnel& TunnelTable::insert(Tunnel tunnel) {
  auto owned = std::make_unique<Tunnel>(std::move(tunnel));
  Tunnel& stored = *owned;
  const bool fresh = by_local_.emplace(stored.local, std::move(owned)).second;
  MAGNETAR_CHECK(fresh);
  for (const VpnAddr& addr : stored.overlay_addrs) {
    auto& list = by_addr_[addr];
    list.insert(list.begin(), &stored);
  }
  by_remote_.emplace(stored.remote, &stored);
  if (stored.answer) by_stage_1_[stored.answer->stage_1] = &stored;
  return stored;
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
  std::erase_if(by_remote_, [&](const auto& entry) { return entry.second == gone; });
  if (gone->answer) by_stage_1_.erase(gone->answer->stage_1);
  by_local_.erase(at);
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

Tunnel* TunnelTable::find_answered(const Stage1Id& stage_1) const {
  const auto at = by_stage_1_.find(stage_1);
  return at == by_stage_1_.end() ? nullptr : at->second;
}

std::vector<Tunnel*> TunnelTable::with_remote(RemoteIndex remote) const {
  std::vector<Tunnel*> found;
  const auto [begin, end] = by_remote_.equal_range(remote);
  for (auto at = begin; at != end; ++at) found.push_back(at->second);
  return found;
}

}  // namespace magnetar
