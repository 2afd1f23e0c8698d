// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/gateway.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include <rte_mbuf.h>

#include "dataplane/base/check.h"

namespace magnetar::bench {
namespace {

// Twice as many slots as sessions, as a gateway that is not full has.
std::uint32_t slots_for(std::size_t sessions) {
  return static_cast<std::uint32_t>(std::max<std::size_t>(std::bit_ceil(2 * sessions), 1024));
}

}  // namespace

Gateway::Lane::Lane(Gateway& gateway, std::uint16_t number, std::unique_ptr<Aead> cipher)
    : aead(std::move(cipher)),
      worker({number, outside, inside, gateway.table_, gateway.routes_, gateway.facts_, *aead,
              gateway.rings_, stats, number == 0},
             gateway.grace_, IdlePolicy::kPoll) {}

Gateway::Gateway(std::unique_ptr<Aead> aead, std::size_t sessions, bool dual_stack)
    : table_(slots_for(sessions), grace_),
      routes_(slots_for(dual_stack ? 2 * sessions : sessions), grace_),
      next_counters_(sessions) {
  own_.underlay.add(own().ip);
  own_.listen_port = own().port;
  own_.outside_mtu = 9200;
  own_.add_overlay({own_overlay(), 8});
  if (dual_stack) own_.add_overlay({own_overlay6(), 64});
  for (std::atomic<std::uint64_t>& counter : next_counters_) counter = 3;
  add_lane(std::move(aead));
  lane(0).aead->expand(testing::key_of(1), common_key_);
  for (std::size_t peer = 0; peer < sessions; ++peer) add(peer, slots_for(sessions), dual_stack);
}

IpAddr Gateway::v6(std::uint32_t host) {
  std::array<std::byte, 16> bytes{std::byte{0xfd}};
  store_be<std::uint32_t>(std::span(bytes).last<4>(), host);
  return IpAddr::v6(bytes);
}

Gateway::~Gateway() {
  drain_punted();
  for (unsigned i = 0; i < lanes_.size(); ++i) grace_.leave(i);
}

void Gateway::add_lane(std::unique_ptr<Aead> aead) {
  const auto number = static_cast<std::uint16_t>(lanes_.size());
  MAGNETAR_CHECK(number < kLanes);
  lanes_.push_back(std::make_unique<Lane>(*this, number, std::move(aead)));
  grace_.enter(number);
}

void Gateway::add(std::size_t peer, std::uint32_t slots, bool dual_stack) {
  testing::PeerSpec spec;
  // An odd factor spreads the slots; the high bits are only there to be compared.
  const std::uint32_t slot = static_cast<std::uint32_t>(peer) * 0x9e3779b1U & (slots - 1);
  spec.local = LocalIndex{(0x5a000000U & ~(slots - 1)) | slot};
  spec.remote = RemoteIndex{spec.local.raw()};
  spec.send_key = testing::key_of(1);
  spec.receive_key = testing::key_of(1);
  spec.overlay = {overlay(peer)};
  spec.addr = underlay(peer);
  if (dual_stack) spec.unsafe_networks = {{overlay6(peer), 128}};
  table_.publish(testing::make_session(spec, *lane(0).aead, own()));
  sessions_.push_back(table_.find(spec.local));
  indexes_.push_back(spec.local);
  MAGNETAR_CHECK(routes_.set(spec.overlay, sessions_.back()->hot));
  if (dual_stack) MAGNETAR_CHECK(routes_.set({overlay6(peer)}, sessions_.back()->hot));
}

void Gateway::seal_as_peer(AeadJob& job, std::size_t lane) {
  job.key = &common_key_;
  lanes_[lane]->aead->seal({&job, 1});
}

void Gateway::drain_punted() {
  std::array<rte_mbuf*, 64> mbufs;
  while (const unsigned count = rings_.take_punted(mbufs))
    rte_pktmbuf_free_bulk(mbufs.data(), count);
}

bool Gateway::adds_up() const {
  std::uint64_t in = 0;
  std::uint64_t out = 0;
  for (const auto& lane : lanes_) {
    const WorkerStats& stats = lane->stats;
    in += stats.outside.rx_packets.get() + stats.inside.rx_packets.get();
    out += stats.outside.tx_packets.get() + stats.inside.tx_packets.get();
    for (const OwnedCounter& dropped : stats.drops) out += dropped.get();
    for (const OwnedCounter& punted : stats.punted) out += punted.get();
  }
  return in == out;
}

}  // namespace magnetar::bench
