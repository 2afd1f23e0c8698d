// SPDX-License-Identifier: Apache-2.0
#include "dataplane/tables/fib.h"

#include <cstring>

namespace magnetar {

Fib::Fib(Grace& grace)
    : grace_(grace), to_hop_(grace), on_link_(grace), slots_(std::make_unique<Slot[]>(kSlots)) {}

Fib::Found Fib::find(const std::byte* destination, bool v4) const {
  std::uint32_t at = to_hop_.find(destination, v4);
  if (at == 0) return {Way::kNoRoute};
  if (at == kKernelSlot) return {Way::kKernel};
  if (at == kOnLinkSlot) {
    at = on_link_.find(destination, v4);
    if (at == 0) return {Way::kUnresolved};
  }
  Slot& slot = slots_[at];
  const std::uint64_t mac = slot.mac.load(std::memory_order_relaxed);
  if ((mac & kKnown) == 0) return {Way::kUnresolved};
  if (!slot.used.load(std::memory_order_relaxed)) slot.used.store(true, std::memory_order_relaxed);
  Found found{Way::kNeighbour};
  std::memcpy(found.mac.data(), &mac, found.mac.size());
  return found;
}

bool Fib::set_route(const Prefix& prefix, const RouteHop& hop) {
  const Prefix network = prefix.masked();
  const auto before = routes_.find(network);
  if (before != routes_.end() && before->second == hop) return true;
  std::uint32_t value = hop.kind == RouteHop::Kind::kKernel ? kKernelSlot : kOnLinkSlot;
  if (hop.kind == RouteHop::Kind::kGateway) {
    Neighbour* gateway = neighbour_of(hop.gateway);
    if (gateway == nullptr) return false;
    ++gateway->routes;
    value = gateway->slot;
  }
  const std::optional<RouteHop> old =
      before == routes_.end() ? std::nullopt : std::optional(before->second);
  routes_[network] = hop;
  to_hop_.set(network, value);
  if (old && old->kind == RouteHop::Kind::kGateway) {
    Neighbour& gateway = neighbours_.at(old->gateway);
    --gateway.routes;
    release(old->gateway, gateway);
  }
  return true;
}

void Fib::erase_route(const Prefix& prefix) {
  const auto at = routes_.find(prefix.masked());
  if (at == routes_.end()) return;
  const RouteHop hop = at->second;
  to_hop_.erase(at->first);
  routes_.erase(at);
  if (hop.kind != RouteHop::Kind::kGateway) return;
  Neighbour& gateway = neighbours_.at(hop.gateway);
  --gateway.routes;
  release(hop.gateway, gateway);
}

bool Fib::set_neighbour(const IpAddr& ip, const std::optional<MacAddr>& mac) {
  if (!mac) {
    const auto at = neighbours_.find(ip);
    if (at == neighbours_.end()) return true;
    slots_[at->second.slot].mac.store(0, std::memory_order_relaxed);
    on_link_.erase(host(ip));
    at->second.known = false;
    release(ip, at->second);
    return true;
  }
  Neighbour* neighbour = neighbour_of(ip);
  if (neighbour == nullptr) return false;
  std::uint64_t value = kKnown;
  std::memcpy(&value, mac->data(), mac->size());
  slots_[neighbour->slot].mac.store(value, std::memory_order_relaxed);
  if (!neighbour->known) on_link_.set(host(ip), neighbour->slot);
  neighbour->known = true;
  return true;
}

bool Fib::take_used(const IpAddr& ip) {
  const auto at = neighbours_.find(ip);
  return at != neighbours_.end() &&
         slots_[at->second.slot].used.exchange(false, std::memory_order_relaxed);
}

Fib::Neighbour* Fib::neighbour_of(const IpAddr& ip) {
  const auto at = neighbours_.find(ip);
  if (at != neighbours_.end()) return &at->second;
  std::uint32_t slot = 0;
  if (!free_slots_.empty()) {
    slot = free_slots_.back();
    free_slots_.pop_back();
  } else if (next_slot_ < kSlots) {
    slot = next_slot_++;
  } else {
    return nullptr;
  }
  return &neighbours_.emplace(ip, Neighbour{.slot = slot}).first->second;
}

// Forgets a neighbour that nothing needs. Its slot is another's only when no worker can have found
// it before.
void Fib::release(const IpAddr& ip, Neighbour& neighbour) {
  if (neighbour.known || neighbour.routes > 0) return;
  retired_slots_.emplace_back(grace_.start(), neighbour.slot);
  neighbours_.erase(IpAddr(ip));  // `ip` may be the key itself
}

void Fib::reap() {
  to_hop_.reap();
  on_link_.reap();
  std::erase_if(retired_slots_, [&](const auto& old) {
    if (!grace_.passed(old.first)) return false;
    slots_[old.second].mac.store(0, std::memory_order_relaxed);
    slots_[old.second].used.store(false, std::memory_order_relaxed);
    free_slots_.push_back(old.second);
    return true;
  });
}

}  // namespace magnetar
