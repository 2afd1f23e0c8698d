// SPDX-License-Identifier: Apache-2.0
#include "dataplane/outside/pipeline.h"

#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "dataplane/crypto/nonce.h"
#include "dataplane/wire/inner_packet.h"

namespace magnetar {
namespace {

constexpr std::size_t kPrefetchAhead = 4;
constexpr std::size_t kOverhead = wire::Header::kSize + wire::kTagSize;

Verdict verdict_of(wire::WireError error) {
  switch (error) {
    case wire::WireError::kTooShort:
      return Verdict::kTooShort;
    case wire::WireError::kBadVersion:
      return Verdict::kBadVersion;
    case wire::WireError::kBadType:
      return Verdict::kBadType;
  }
  return Verdict::kBadType;
}

Verdict verdict_of(ReplayVerdict verdict) {
  if (verdict == ReplayVerdict::kFresh) return Verdict::kForward;
  return verdict == ReplayVerdict::kReplayed ? Verdict::kReplayed : Verdict::kTooOld;
}

// Whoever floods us with stage 1 must not keep the answers to ours out.
PuntKind clear_kind(const wire::Header& header) {
  if (header.type != wire::MessageType::kHandshake) return PuntKind::kRecvError;
  return header.counter == Counter{2} ? PuntKind::kStage2 : PuntKind::kHandshake;
}

// Keeps what `judge` forwards, in order; drops the rest with its reason.
template <typename Judge>
std::size_t sift(std::span<Inbound> burst, Exits& exits, Judge&& judge) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < burst.size(); ++i) {
    const Verdict verdict = judge(burst[i], i);
    if (verdict == Verdict::kForward) {
      if (kept != i) burst[kept] = burst[i];
      ++kept;
    } else if (verdict != Verdict::kPunted) {
      exits.drop(burst[i].mbuf, verdict);
    }
  }
  return kept;
}

}  // namespace

std::size_t OutsidePipeline::run() {
  StageClock clock(context_.stats);
  std::array<rte_mbuf*, kBurst> received;
  std::size_t count = 0;
  if (!early_.empty()) {  // they came before whatever the port has now
    count = early_.release(received);
    releasing_ = true;
    if (count > 0) process({received.data(), count}, clock);
    releasing_ = false;
  }
  const std::size_t fresh = context_.outside.receive(received);
  if (fresh == 0) return count;
  clock.mark(Stage::kOutsideReceive, fresh);
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < fresh; ++i) bytes += received[i]->pkt_len;
  context_.stats.outside.rx_packets.add(fresh);
  context_.stats.outside.rx_bytes.add(bytes);
  process({received.data(), fresh}, clock);
  return count + fresh;
}

void OutsidePipeline::process(std::span<rte_mbuf*> packets, StageClock& clock) {
  const Facts& facts = *context_.facts.load(std::memory_order_acquire);
  classify(packets, facts);
  clock.mark(Stage::kOutsideClassify, packets.size());
  open();
  clock.mark(Stage::kOutsideOpen, size_);
  commit();
  deliver(facts);
  clock.mark(Stage::kOutsideDeliver, size_);
  transmit(context_.inside, context_.stats.inside, {to_inside_.data(), inside_size_}, exits_,
           Verdict::kInsideFull);
  exits_.settle();
  clock.mark(Stage::kOutsideTransmit, inside_size_);
}

void OutsidePipeline::classify(std::span<rte_mbuf*> received, const Facts& facts) {
  size_ = 0;
  stranger_noticed_ = false;
  for (std::size_t i = 0; i < received.size(); ++i) {
    if (i + kPrefetchAhead < received.size())
      rte_prefetch0(rte_pktmbuf_mtod(received[i + kPrefetchAhead], void*));
    rte_mbuf& mbuf = *received[i];
    Inbound& slot = burst_[size_];
    const Verdict verdict = classify_one(mbuf, facts, slot);
    if (verdict == Verdict::kForward) {
      rte_prefetch0(slot.session->open_key.reveal());
      ++size_;
    } else if (verdict != Verdict::kPunted) {
      exits_.drop(&mbuf, verdict);
    }
  }
}

// kForward: `out` is an encrypted packet of a session, its counter plausible.
Verdict OutsidePipeline::classify_one(rte_mbuf& mbuf, const Facts& facts, Inbound& out) {
  const ByteView frame = view_of(mbuf);
  Verdict outer =
      mbuf.nb_segs == 1 ? wire::parse_outer(frame, out.outer) : Verdict::kMalformedOuter;
  if (outer == Verdict::kForward && !facts.is_for_us(out.outer)) outer = Verdict::kNotOurs;
  if (outer != Verdict::kForward) {
    if (!facts.kernel_wants_rest) return outer;
    exits_.punt(&mbuf, PuntKind::kKernel);  // the kernel judges what is not for us, or broken
    return Verdict::kPunted;
  }
  const ByteView packet = frame.subspan(out.outer.payload_offset, out.outer.payload_length);
  if (packet.size() <= 1) return Verdict::kPunch;
  if (facts.overlay_networks.contains(out.outer.source_ip, out.outer.v4))
    return Verdict::kOwnOverlaySource;
  const auto header = wire::parse_header(packet);
  if (!header) return verdict_of(header.error());
  if (!wire::kMessageRules[static_cast<std::size_t>(header->type)].encrypted)
    return classify_clear(mbuf, *header, out.outer, packet);
  if (packet.size() < kOverhead) return Verdict::kTooShort;
  if (header->type == wire::MessageType::kMessage && header->subtype == wire::kSubtypeRelay)
    return Verdict::kRelayUnsupported;
  const LocalIndex index{header->index};
  out.session = context_.sessions.find(index);
  if (out.session == nullptr || early_.holds(index)) [[unlikely]] {
    if (is_early(mbuf, index, out)) return Verdict::kPunted;
  }
  if (out.session == nullptr) {
    PuntMeta& meta = punt_meta(mbuf);
    meta.header = *header;
    meta.source = {out.outer.source(), out.outer.source_port};
    exits_.punt(&mbuf, PuntKind::kUnknownIndex);
    return Verdict::kPunted;
  }
  out.mbuf = &mbuf;
  out.packet = data_of(mbuf) + out.outer.payload_offset;
  out.length = out.outer.payload_length;
  out.counter = header->counter.raw();
  out.type = header->type;
  out.subtype = header->subtype;
  const Verdict verdict = verdict_of(out.session->hot->window.check(header->counter));
  // A stranger's counters collide with those that the peer has used.
  if (verdict != Verdict::kForward) notice_stranger(out);
  return verdict;
}

// True: the packet waits for its session, or for those before it. `out.session` is what the table
// says last: it may have opened since it was asked first.
bool OutsidePipeline::is_early(rte_mbuf& mbuf, LocalIndex index, Inbound& out) {
  const bool waits = early_.holds(index) || context_.sessions.is_awaited(index);
  if (waits && !releasing_ && early_.hold(&mbuf, index)) return true;
  out.session = context_.sessions.find(index);
  return false;
}

// Handshake and recv_error: not authenticated here, so the control plane's business.
Verdict OutsidePipeline::classify_clear(rte_mbuf& mbuf, const wire::Header& header,
                                        const wire::OuterView& outer, ByteView packet) {
  PuntMeta& meta = punt_meta(mbuf);
  meta.header = header;
  meta.source = {outer.source(), outer.source_port};
  set_data(mbuf, packet.data(), packet.size());
  exits_.punt(&mbuf, clear_kind(header));
  return Verdict::kPunted;
}

void OutsidePipeline::open() {
  const Cipher cipher = context_.aead.cipher();
  for (std::size_t i = 0; i < size_; ++i) {
    const Inbound& packet = burst_[i];
    AeadJob& job = jobs_[i];
    store_block(&job.nonce, make_nonce(cipher, packet.counter));
    job.key = &packet.session->open_key;
    job.aad = packet.packet;
    job.aad_length = wire::Header::kSize;
    job.text = packet.packet + wire::Header::kSize;
    job.length = static_cast<std::uint32_t>(packet.length - kOverhead);
    job.tag = job.text + job.length;
  }
  context_.aead.open({jobs_.data(), size_});
  drop_forged();
}

void OutsidePipeline::drop_forged() {
  size_ = sift({burst_.data(), size_}, exits_, [&](const Inbound& packet, std::size_t i) {
    if (jobs_[i].authentic) return Verdict::kForward;
    notice_stranger(packet);
    return Verdict::kForged;
  });
}

// Marks the counters as received, a session's run of packets under one lock. Two equal counters in
// one burst both passed the first check; this one decides.
void OutsidePipeline::commit() {
  const Session* locked = nullptr;
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  const auto release = [&] {
    if (locked == nullptr) return;
    rte_spinlock_unlock(&locked->hot->lock);
    locked->hot->rx_packets.fetch_add(packets, std::memory_order_relaxed);
    locked->hot->rx_bytes.fetch_add(bytes, std::memory_order_relaxed);
    packets = 0;
    bytes = 0;
  };
  size_ = sift({burst_.data(), size_}, exits_, [&](const Inbound& packet, std::size_t) {
    if (packet.session != locked) {
      release();
      locked = packet.session;
      rte_spinlock_lock(&locked->hot->lock);
    }
    const Verdict verdict = verdict_of(locked->hot->window.commit(Counter{packet.counter}));
    if (verdict == Verdict::kForward) {
      ++packets;
      bytes += packet.length - kOverhead;
    }
    return verdict;
  });
  release();
}

void OutsidePipeline::deliver(const Facts& facts) {
  inside_size_ = 0;
  for (std::size_t i = 0; i < size_; ++i) {
    Inbound& packet = burst_[i];
    const std::uint64_t expected = packet.session->hot->remote_key.load(std::memory_order_relaxed);
    if (packet.outer.source_key() != expected) notice_move(packet);
    const Verdict verdict = deliver_one(packet, facts);
    if (verdict == Verdict::kForward) {
      to_inside_[inside_size_++] = packet.mbuf;
    } else if (verdict != Verdict::kPunted) {
      exits_.drop(packet.mbuf, verdict);
    }
  }
}

Verdict OutsidePipeline::deliver_one(Inbound& packet, const Facts& facts) {
  const ByteView text(packet.packet + wire::Header::kSize, packet.length - kOverhead);
  if (packet.type != wire::MessageType::kMessage) {
    PuntMeta& meta = punt_meta(*packet.mbuf);
    meta.header = {.type = packet.type,
                   .subtype = packet.subtype,
                   .index = packet.session->local.raw(),
                   .counter = Counter{packet.counter}};
    meta.source = {packet.outer.source(), packet.outer.source_port};
    meta.session = packet.session->local;
    set_data(*packet.mbuf, text.data(), text.size());
    exits_.punt(packet.mbuf, PuntKind::kSessionMessage);
    return Verdict::kPunted;
  }
  wire::InnerView inner;
  if (!wire::parse_inner(text, inner)) return Verdict::kInnerMalformed;
  if (!packet.session->sources.contains(inner.source, inner.v4)) return Verdict::kWrongSource;
  if (!facts.local.contains(inner.destination, inner.v4)) return Verdict::kNotForUs;
  set_data(*packet.mbuf, text.data(), text.size());
  return Verdict::kForward;
}

// Somebody who is not the peer sends under the session's index: perhaps a host that answered our
// handshake too late and believes in a tunnel (protocol/handshake.md 7.2). One notice a burst.
void OutsidePipeline::notice_stranger(const Inbound& packet) {
  if (stranger_noticed_) return;
  if (packet.outer.source_key() == packet.session->hot->remote_key.load(std::memory_order_relaxed))
    return;
  stranger_noticed_ = true;
  PuntMeta meta;
  meta.kind = PuntKind::kForged;
  meta.session = packet.session->local;
  meta.source = {packet.outer.source(), packet.outer.source_port};
  meta.header = {.type = packet.type,
                 .subtype = packet.subtype,
                 .index = packet.session->local.raw(),
                 .counter = Counter{packet.counter}};
  exits_.notice(meta, packet.mbuf->pool);
}

// Once until the control thread has dealt with it: a peer's every packet may come from elsewhere.
void OutsidePipeline::notice_move(const Inbound& packet) {
  std::atomic<bool>& noticed = packet.session->hot->move_noticed;
  if (noticed.load(std::memory_order_relaxed) || noticed.exchange(true)) return;
  PuntMeta meta;
  meta.kind = PuntKind::kMoved;
  meta.session = packet.session->local;
  meta.source = {packet.outer.source(), packet.outer.source_port};
  exits_.notice(meta, packet.mbuf->pool);
}

}  // namespace magnetar
