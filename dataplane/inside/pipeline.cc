// SPDX-License-Identifier: Apache-2.0
#include "dataplane/inside/pipeline.h"

#include <algorithm>
#include <cstring>

#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "dataplane/crypto/nonce.h"
#include "dataplane/wire/inner_packet.h"

namespace magnetar {
namespace {

constexpr std::size_t kMbufsAhead = 8;  // their data has to wait for them
constexpr std::size_t kDataAhead = 4;
// The replay window of every Nebula but the newest, whose is larger (protocol/wire.md).
constexpr std::uint64_t kPeerWindow = 1024;

}  // namespace

std::size_t InsidePipeline::run() {
  StageClock clock(context_.stats, bursts_);
  std::array<rte_mbuf*, kBurst> received;
  const std::size_t count = context_.inside.receive(received);
  if (count == 0) return 0;
  ++bursts_;
  clock.mark(Stage::kInsideReceive, count);
  const Facts& facts = *context_.facts.load(std::memory_order_acquire);
  accept({received.data(), count}, facts);
  context_.routes.find({destinations_.data(), destination_count_}, sessions_.data());
  route(facts);
  clock.mark(Stage::kInsideRoute, count);
  leave(facts, clock);
  if (error_count_ + waiting_.size() > 0) [[unlikely]]
    send_aside(facts, clock);
  return count;
}

// What has been routed goes out.
void InsidePipeline::leave(const Facts& facts, StageClock& clock) {
  number();
  if (facts.clamp_mss) [[unlikely]]
    clamp_mss(facts);
  seal();
  emit();
  clock.mark(Stage::kInsideSeal, size_);
  // The control thread puts the stage 2 and what waited for a tunnel on our ring before it shows us
  // the way: whatever of this burst found it now, leaves behind those.
  send_control_frames(context_, control_exits_);
  transmit(context_.outside, context_.stats.outside, {to_outside_.data(), outside_size_}, exits_,
           Verdict::kOutsideFull);
  count_late();
  exits_.settle();
  clock.mark(Stage::kInsideTransmit, outside_size_);
}

Verdict InsidePipeline::accept_one(rte_mbuf& mbuf, const Facts& facts, Outbound& out) {
  wire::InnerView inner;
  const ByteView packet = view_of(mbuf);
  if (mbuf.nb_segs != 1 || !wire::parse_inner(packet, inner)) return Verdict::kInsideMalformed;
  if (!facts.local.contains(inner.source, inner.v4)) return Verdict::kNotOurSource;
  // A packet to the same place as the one before it needs no look-up.
  const RouteKey destination = RouteKey::of(inner.destination, inner.v4);
  if (destination_count_ == 0 || destination != destinations_[destination_count_ - 1]) {
    context_.routes.prefetch(destination);
    destinations_[destination_count_++] = destination;
  }
  // Field by field: a struct copied whole would wait for the narrow stores that made it.
  out.mbuf = &mbuf;
  out.text = data_of(mbuf);
  out.length = static_cast<std::uint16_t>(packet.size());
  out.destination = static_cast<std::uint8_t>(destination_count_ - 1);
  return Verdict::kForward;
}

void InsidePipeline::accept(std::span<rte_mbuf*> received, const Facts& facts) {
  size_ = 0;
  destination_count_ = 0;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < received.size(); ++i) {
    if (i + kMbufsAhead < received.size()) rte_prefetch0(received[i + kMbufsAhead]);
    if (i + kDataAhead < received.size())
      rte_prefetch0(rte_pktmbuf_mtod(received[i + kDataAhead], void*));
    rte_mbuf& mbuf = *received[i];
    bytes += mbuf.pkt_len;
    const Verdict verdict = accept_one(mbuf, facts, burst_[size_]);
    if (verdict == Verdict::kForward) {
      ++size_;
    } else {
      exits_.drop(&mbuf, verdict);
    }
  }
  context_.stats.inside.rx_packets.add(received.size());
  context_.stats.inside.rx_bytes.add(bytes);
}

// Keeps what has a tunnel and fits into the outside MTU, up to the first that has to be split.
void InsidePipeline::route(const Facts& facts) {
  // The peer's outer header is on its way from memory: it is asked only when it matters.
  const std::size_t surely_fits = std::min(facts.outside_mtu, facts.least_path_mtu) +
                                  wire::kEthernetSize - wire::kOverhead -
                                  wire::OuterTemplate::kMostSize;
  groups_.clear();
  std::size_t kept = 0;
  std::size_t i = 0;
  for (; i < size_; ++i) {
    const Outbound& packet = burst_[i];
    SessionHot* session = sessions_[packet.destination];
    if (session == nullptr) {
      no_tunnel(packet.mbuf, destinations_[packet.destination], facts);
    } else if (packet.length > surely_fits && is_too_big(packet, *session, facts)) {
      if (may_split(packet)) break;
      refuse(packet, *session, facts);
    } else {
      if (kept != i) burst_[kept] = packet;
      burst_[kept++].group = groups_.add(session, session->seal_mark, packet.length);
    }
  }
  groups_.finish();
  waiting_ = {burst_.data() + i, size_ - i};
  size_ = kept;
}

// The slow way out: nobody is there, or not yet.
void InsidePipeline::no_tunnel(rte_mbuf* mbuf, const RouteKey& destination, const Facts& facts) {
  const IpAddr addr = destination.addr();
  if (facts.own_overlay.contains(addr)) return exits_.drop(mbuf, Verdict::kToOurselves);
  if (addr.is_multicast() || facts.overlay_broadcast.contains(addr))
    return exits_.drop(mbuf, Verdict::kMulticast);
  if (!facts.overlay_networks.contains(addr)) return exits_.drop(mbuf, Verdict::kNoRoute);
  exits_.punt(mbuf, PuntKind::kNoTunnel);
}

// One reservation of counters a session, and its tallies while the line is at hand.
void InsidePipeline::number() {
  for (SessionGroup& group : groups_.groups()) {
    SessionHot& hot = *group.session;
    group.remote = hot.remote.load(std::memory_order_acquire);
    group.next_counter = hot.reserve(group.packets);
    // Counters only grow: none of the group is past the ceiling unless its last one is.
    if (group.next_counter + group.packets > kSendCounterCeiling) {
      hot.tx_unsent.fetch_add(group.packets, std::memory_order_relaxed);
    } else {
      hot.count_sent(group.bytes, context_.alone);
    }
  }
}

// Header, nonce and job of each packet, then the cipher. It asks for keys ahead of their use, but
// not for those that it begins with.
void InsidePipeline::seal() {
  const Cipher cipher = context_.aead.cipher();
  for (std::size_t i = 0; i < size_; ++i) {
    const Outbound& packet = burst_[i];
    SessionGroup& group = groups_[packet.group];
    const std::uint64_t counter = group.next_counter++;
    std::byte* header = packet.text - wire::Header::kSize;
    AeadJob& job = jobs_[i];
    store_block(header, make_header(group.session->data_header, counter));
    store_block(&job.nonce, make_nonce(cipher, counter));
    job.key = group.session->seal_key;
    job.text = packet.text;
    job.length = packet.length;
    job.next = group.remote;  // for the outer header
    if (i < kKeysAhead) job.key->prefetch();
  }
  context_.aead.seal({jobs_.data(), size_});
}

// Another worker that seals for the same session may send what it numbered after us before we send
// ours. As long as each of W workers has one burst under way, a packet leaves less than W * kBurst
// counters behind the newest: within a peer's window for 16 workers. A worker that is kept from its
// core while the others go on breaks that. What was numbered by now may have left: no packet that
// the peer refuses is missed.
void InsidePipeline::count_late() {
  if (context_.alone) return;
  for (const SessionGroup& group : groups_.groups()) {
    const std::uint64_t newest = group.session->send_counter.load(std::memory_order_relaxed);
    const std::uint64_t first = group.next_counter - group.packets;
    if (newest - first < kPeerWindow) [[likely]]
      continue;
    const std::uint64_t behind = newest - first - kPeerWindow + 1;
    context_.stats.late.add(std::min<std::uint64_t>(behind, group.packets));
  }
}

// Outer headers; drops what must not leave.
void InsidePipeline::emit() {
  outside_size_ = 0;
  for (std::size_t i = 0; i < size_; ++i) {
    const Outbound& packet = burst_[i];
    if (i + kDataAhead < size_) rte_prefetch0(groups_[burst_[i + kDataAhead].group].remote);
    const SessionGroup& group = groups_[packet.group];
    const Remote& remote = *group.remote;
    if (group.next_counter > kSendCounterCeiling) {
      exits_.drop(packet.mbuf, Verdict::kCounterExhausted);
    } else if (!remote.reachable()) {
      let_kernel_send(packet, remote);
    } else {
      const std::size_t size = packet.length + wire::kOverhead;
      const std::byte* frame = remote.header.write_before(packet.text - wire::Header::kSize, size);
      set_data(*packet.mbuf, frame, size + remote.header.size());
      to_outside_[outside_size_++] = packet.mbuf;
    }
  }
}

// Nobody knows the next hop's address yet. The packet is sealed and has its counter: it goes the
// slow way, so that nothing is lost while the kernel asks.
void InsidePipeline::let_kernel_send(const Outbound& packet, const Remote& remote) {
  punt_meta(*packet.mbuf).source = remote.addr;
  set_data(*packet.mbuf, packet.text - wire::Header::kSize, packet.length + wire::kOverhead);
  exits_.punt(packet.mbuf, PuntKind::kNoNeighbour);
}

}  // namespace magnetar
