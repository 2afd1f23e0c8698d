// SPDX-License-Identifier: Apache-2.0
#include "dataplane/inside/pipeline.h"

#include <cstring>

#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "dataplane/crypto/nonce.h"
#include "dataplane/wire/inner_packet.h"

namespace magnetar {
namespace {

constexpr std::size_t kPrefetchAhead = 4;
constexpr std::size_t kOverhead = wire::Header::kSize + wire::kTagSize;

// Calls `visit(begin, end)` for each run of packets of one session.
template <typename Visit>
void for_each_run(std::span<const Outbound> burst, Visit&& visit) {
  if (burst.empty()) return;
  std::size_t begin = 0;
  for (std::size_t i = 1; i <= burst.size(); ++i) {
    if (i < burst.size() && burst[i].session == burst[begin].session) continue;
    visit(begin, i);
    begin = i;
  }
}

}  // namespace

std::size_t InsidePipeline::run() {
  StageClock clock(context_.stats);
  std::array<rte_mbuf*, kBurst> received;
  const std::size_t count = context_.inside.receive(received);
  if (count == 0) return 0;
  clock.mark(Stage::kInsideReceive, count);
  const Facts& facts = *context_.facts.load(std::memory_order_acquire);
  accept({received.data(), count}, facts);
  route(facts);
  clock.mark(Stage::kInsideRoute, count);
  seal();
  emit(facts.outside_mtu);
  clock.mark(Stage::kInsideSeal, size_);
  // The control thread puts the stage 2 and what waited for a tunnel on our ring before it shows us
  // the way: whatever of this burst found it now, leaves behind those.
  send_control_frames(context_, control_exits_);
  transmit(context_.outside, context_.stats.outside, {to_outside_.data(), outside_size_}, exits_,
           Verdict::kOutsideFull);
  exits_.settle();
  clock.mark(Stage::kInsideTransmit, outside_size_);
  return count;
}

void InsidePipeline::accept(std::span<rte_mbuf*> received, const Facts& facts) {
  size_ = 0;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < received.size(); ++i) {
    if (i + kPrefetchAhead < received.size())
      rte_prefetch0(rte_pktmbuf_mtod(received[i + kPrefetchAhead], void*));
    rte_mbuf& mbuf = *received[i];
    bytes += mbuf.pkt_len;
    const Verdict verdict = accept_one(mbuf, facts);
    if (verdict == Verdict::kForward) {
      burst_[size_++].mbuf = &mbuf;
    } else {
      exits_.drop(&mbuf, verdict);
    }
  }
  context_.stats.inside.rx_packets.add(received.size());
  context_.stats.inside.rx_bytes.add(bytes);
}

Verdict InsidePipeline::accept_one(rte_mbuf& mbuf, const Facts& facts) {
  wire::InnerView inner;
  if (mbuf.nb_segs != 1 || !wire::parse_inner(view_of(mbuf), inner))
    return Verdict::kInsideMalformed;
  if (!facts.local.contains(inner.source, inner.v4)) return Verdict::kNotOurSource;
  std::memcpy(destinations_[size_].data(), inner.destination_addr().mapped().data(), 16);
  return Verdict::kForward;
}

// Destination to session. A packet to the same place as the one before it needs no look-up.
void InsidePipeline::route(const Facts& facts) {
  std::array<std::array<std::byte, 16>, kBurst> distinct;
  std::array<std::uint8_t, kBurst> which;
  std::array<const Session*, kBurst> sessions;
  std::size_t count = 0;
  for (std::size_t i = 0; i < size_; ++i) {
    if (i == 0 || destinations_[i] != destinations_[i - 1]) distinct[count++] = destinations_[i];
    which[i] = static_cast<std::uint8_t>(count - 1);
  }
  if (count == 0) return;
  context_.routes.find({distinct.data(), count}, sessions.data());
  std::size_t kept = 0;
  for (std::size_t i = 0; i < size_; ++i) {
    const Session* session = sessions[which[i]];
    if (session == nullptr) {
      no_tunnel(burst_[i].mbuf, IpAddr::v6(destinations_[i]), facts);
      continue;
    }
    rte_prefetch0(session->seal_key.reveal());
    rte_prefetch0(&session->hot->send_counter);
    burst_[kept++] = {burst_[i].mbuf, session};
  }
  size_ = kept;
}

// The slow way out: nobody is there, or not yet.
void InsidePipeline::no_tunnel(rte_mbuf* mbuf, const IpAddr& destination, const Facts& facts) {
  if (facts.own_overlay.contains(destination)) return exits_.drop(mbuf, Verdict::kToOurselves);
  if (destination.is_multicast() || facts.overlay_broadcast.contains(destination))
    return exits_.drop(mbuf, Verdict::kMulticast);
  if (!facts.overlay_networks.contains(destination)) return exits_.drop(mbuf, Verdict::kNoRoute);
  exits_.punt(mbuf, PuntKind::kNoTunnel);
}

void InsidePipeline::seal() {
  for_each_run({burst_.data(), size_},
               [&](std::size_t begin, std::size_t end) { seal_run(begin, end); });
  context_.aead.seal({jobs_.data(), size_});
}

// Header, nonce and job of a session's packets, with one reservation of counters.
void InsidePipeline::seal_run(std::size_t begin, std::size_t end) {
  const Session& session = *burst_[begin].session;
  const Cipher cipher = context_.aead.cipher();
  std::uint64_t counter = session.hot->reserve(end - begin);
  for (std::size_t i = begin; i < end; ++i, ++counter) {
    rte_mbuf& mbuf = *burst_[i].mbuf;
    AeadJob& job = jobs_[i];
    std::byte* text = data_of(mbuf);
    std::byte* header = text - wire::Header::kSize;
    store_block(header, make_header(session.data_header, counter));
    store_block(&job.nonce, make_nonce(cipher, counter));
    job.key = &session.seal_key;
    job.aad = header;
    job.aad_length = wire::Header::kSize;
    job.text = text;
    job.length = mbuf.data_len;
    job.tag = text + mbuf.data_len;
  }
}

void InsidePipeline::emit(std::size_t mtu) {
  outside_size_ = 0;
  for_each_run({burst_.data(), size_},
               [&](std::size_t begin, std::size_t end) { emit_run(begin, end, mtu); });
}

// Outer headers of a session's packets; drops those that must not leave.
void InsidePipeline::emit_run(std::size_t begin, std::size_t end, std::size_t mtu) {
  const Session& session = *burst_[begin].session;
  const Remote* remote = session.hot->remote.load(std::memory_order_acquire);
  // Counters only grow, so none of this run is past the ceiling unless the last one is.
  const bool exhausted =
      session.hot->send_counter.load(std::memory_order_relaxed) >= kSendCounterCeiling;
  std::uint64_t sent = 0;
  std::uint64_t bytes = 0;
  for (std::size_t i = begin; i < end; ++i) {
    rte_mbuf& mbuf = *burst_[i].mbuf;
    const std::size_t size = mbuf.data_len + kOverhead;
    if (exhausted) {
      exits_.drop(&mbuf, Verdict::kCounterExhausted);
    } else if (!remote->reachable) {
      bytes += mbuf.data_len;
      ++sent;
      let_kernel_send(mbuf, *remote);
    } else if (size + remote->header.size() > mtu + wire::kEthernetSize) {
      exits_.drop(&mbuf, Verdict::kTooBig);
    } else {
      bytes += mbuf.data_len;
      ++sent;
      const std::byte* frame =
          remote->header.write_before(data_of(mbuf) - wire::Header::kSize, size);
      set_data(mbuf, frame, size + remote->header.size());
      to_outside_[outside_size_++] = &mbuf;
    }
  }
  session.hot->tx_packets.fetch_add(sent, std::memory_order_relaxed);
  session.hot->tx_bytes.fetch_add(bytes, std::memory_order_relaxed);
}

// Nobody knows the next hop's address yet. The packet is sealed and has its counter: it goes the
// slow way, so that nothing is lost while the kernel asks.
void InsidePipeline::let_kernel_send(rte_mbuf& mbuf, const Remote& remote) {
  punt_meta(mbuf).source = remote.addr;
  set_data(mbuf, data_of(mbuf) - wire::Header::kSize, mbuf.data_len + kOverhead);
  exits_.punt(&mbuf, PuntKind::kNoNeighbour);
}

}  // namespace magnetar
