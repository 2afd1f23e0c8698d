// SPDX-License-Identifier: Apache-2.0
#include "tests/support/data_plane.h"

#include <numeric>

#include "dataplane/base/check.h"
#include "drivers/crypto/ipsec_mb.h"

namespace magnetar::testing {
namespace {

Facts make_facts(IpAddr overlay, const UnderlayAddr& underlay) {
  Facts facts;
  facts.underlay = {*Prefix::parse(underlay.ip.to_string() + "/32"),
                    *Prefix::parse("2001:db8::1/128")};
  facts.listen_port = underlay.port;
  facts.add_overlay({overlay, 16});
  facts.add_overlay(*Prefix::parse("fd42::1/64"));
  facts.local.add(*Prefix::parse("192.168.7.0/24"));
  return facts;
}

}  // namespace

TransportKey key_of(std::uint8_t fill) {
  TransportKey key;
  std::ranges::fill(key.fill(), std::byte{fill});
  return key;
}

std::unique_ptr<Session> make_session(const PeerSpec& spec, Aead& aead, const UnderlayAddr& own) {
  auto session = std::make_unique<Session>();
  session->local = spec.local;
  session->remote_index = spec.remote;
  session->sources.add(spec.overlay.ip);
  for (const Prefix& network : spec.unsafe_networks) session->sources.add(network);
  aead.expand(spec.send_key, session->seal_key);
  aead.expand(spec.receive_key, session->open_key);
  session->owned_hot = std::shared_ptr<SessionHot>(new SessionHot);
  session->hot = session->owned_hot.get();
  auto remote = std::make_unique<Remote>();
  remote->addr = spec.addr;

  remote->header = wire::OuterTemplate({.source_mac = {std::byte{2}, {}, {}, {}, {}, std::byte{1}},
                                        .next_mac = {std::byte{2}, {}, {}, {}, {}, std::byte{2}},
                                        .source = own,
                                        .destination = spec.addr});
  session->hot->remote_key = wire::underlay_key(spec.addr);
  session->hot->remote = remote.release();
  return session;
}

DataPlane::DataPlane(Cipher cipher, IpAddr overlay, UnderlayAddr underlay, unsigned workers)
    : own_addr(underlay),
      pool(make_pool(8191)),
      outside(pool.get()),
      inside(pool.get()),
      grace(workers),
      sessions(1024, grace),
      routes(1024, grace),
      own_facts(std::make_unique<const Facts>(make_facts(overlay, underlay))),
      facts(own_facts.get()),
      aead(make_ipsec_mb(cipher)),
      rings(workers, 1024, 1024),
      worker({0, outside, inside, sessions, routes, facts, *aead, rings, stats}, grace,
             IdlePolicy::kPoll) {
  grace.enter(0);
}

DataPlane::~DataPlane() { grace.leave(0); }

const Session& DataPlane::add_peer(const PeerSpec& spec) {
  const UnderlayAddr own =
      spec.addr.ip.is_v4() ? own_addr : *UnderlayAddr::parse("[2001:db8::1]:4242");
  sessions.publish(make_session(spec, *aead, own));
  const Session* published = sessions.find(spec.local);
  MAGNETAR_CHECK(published != nullptr && routes.set(spec.overlay, published->hot));
  return *published;
}

std::uint64_t DataPlane::all_drops() const {
  std::uint64_t sum = 0;
  for (const OwnedCounter& counter : stats.drops) sum += counter.get();
  return sum;
}

std::uint64_t DataPlane::all_punted() const {
  std::uint64_t sum = 0;
  for (const OwnedCounter& counter : stats.punted) sum += counter.get();
  return sum;
}

bool DataPlane::adds_up() const {
  const std::uint64_t in =
      stats.outside.rx_packets.get() + stats.inside.rx_packets.get() + stats.injected.get();
  const std::uint64_t out = stats.outside.tx_packets.get() + stats.inside.tx_packets.get();
  return in == out + all_drops() + all_punted();
}

std::vector<DataPlane::Punted> DataPlane::take_punted() {
  std::vector<Punted> out;
  rte_mbuf* mbuf = nullptr;
  while (rings.take_punted({&mbuf, 1}) == 1) {
    out.push_back({punt_meta(*mbuf), to_vector(view_of(*mbuf))});
    rte_pktmbuf_free(mbuf);
  }
  return out;
}

}  // namespace magnetar::testing
