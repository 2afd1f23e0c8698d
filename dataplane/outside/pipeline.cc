// SPDX-License-Identifier: Apache-2.0
#include "dataplane/outside/pipeline.h"

#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "dataplane/crypto/nonce.h"
#include "dataplane/wire/inner_packet.h"

namespace magnetar {
namespace {

constexpr std::size_t kMbufsAhead = 8;  // their data has to wait for them
constexpr std::size_t kDataAhead = 4;
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

// Where the frame that the packet came in was from. The frame is still all there.
UnderlayAddr source_of(const Inbound& packet) {
  wire::OuterView outer;
  [[maybe_unused]] const Verdict verdict = wire::parse_outer(view_of(*packet.mbuf), outer);
  return {outer.source(), outer.source_port};
}

wire::Header header_of(const Inbound& packet) {
  return {.type = packet.type,
          .subtype = packet.subtype,
          .index = packet.index.raw(),
          .counter = Counter{packet.counter}};
}

void read_session(Inbound& packet) {
  packet.tunnel = packet.session->session;
  packet.remote_key = packet.session->remote_key.load(std::memory_order_relaxed);
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
  StageClock clock(context_.stats, bursts_);
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
  ++bursts_;
  clock.mark(Stage::kOutsideReceive, fresh);
  process({received.data(), fresh}, clock);
  return count + fresh;
}

void OutsidePipeline::process(std::span<rte_mbuf*> packets, StageClock& clock) {
  const Facts& facts = *context_.facts.load(std::memory_order_acquire);
  classify(packets, facts);
  find_sessions();
  prepare();
  clock.mark(Stage::kOutsideClassify, packets.size());
  context_.aead.open({jobs_.data(), size_});
  clock.mark(Stage::kOutsideOpen, size_);
  commit();
  deliver(facts);
  clock.mark(Stage::kOutsideDeliver, size_);
  transmit(context_.inside, context_.stats.inside, {to_inside_.data(), inside_size_}, exits_,
           Verdict::kInsideFull);
  exits_.settle();
  clock.mark(Stage::kOutsideTransmit, inside_size_);
}

// A data message to us, seen at first sight. Field by field: a struct copied whole would wait for
// the narrow stores that made it.
bool OutsidePipeline::classify_plain(rte_mbuf& mbuf, const Facts& facts, Inbound& out) {
  wire::PlainFrame frame;
  if (mbuf.nb_segs != 1 || !frame.parse(view_of(mbuf)) ||
      frame.destination_port != facts.listen_port ||
      !facts.underlay.contains(frame.destination_ip, true) ||
      facts.overlay_networks.contains(frame.source_ip, true))
    return false;
  out.mbuf = &mbuf;
  out.packet = data_of(mbuf) + wire::PlainFrame::kPayload;
  out.counter = frame.counter;
  out.source_key = frame.source_key;
  out.index = LocalIndex{frame.index};
  out.length = frame.payload_length;
  out.type = wire::MessageType::kMessage;
  out.subtype = wire::kSubtypeNone;
  return true;
}

void OutsidePipeline::classify(std::span<rte_mbuf*> received, const Facts& facts) {
  size_ = 0;
  stranger_noticed_ = false;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < received.size(); ++i) {
    if (i + kMbufsAhead < received.size()) rte_prefetch0(received[i + kMbufsAhead]);
    if (i + kDataAhead < received.size())
      rte_prefetch0(rte_pktmbuf_mtod(received[i + kDataAhead], void*));
    rte_mbuf& mbuf = *received[i];
    bytes += mbuf.pkt_len;
    Inbound& out = burst_[size_];
    const Verdict verdict =
        classify_plain(mbuf, facts, out) ? Verdict::kForward : classify_one(mbuf, facts, out);
    if (verdict == Verdict::kForward) {
      context_.sessions.prefetch(burst_[size_++].index);
    } else if (verdict != Verdict::kPunted) {
      exits_.drop(&mbuf, verdict);
    }
  }
  if (releasing_) return;  // these were counted when they came
  context_.stats.outside.rx_packets.add(received.size());
  context_.stats.outside.rx_bytes.add(bytes);
}

// Any other frame. kForward: `out` is an encrypted packet, whole but for its session.
Verdict OutsidePipeline::classify_one(rte_mbuf& mbuf, const Facts& facts, Inbound& out) {
  const ByteView frame = view_of(mbuf);
  wire::OuterView outer;
  Verdict verdict = mbuf.nb_segs == 1 ? wire::parse_outer(frame, outer) : Verdict::kMalformedOuter;
  if (verdict == Verdict::kForward && !facts.is_for_us(outer)) verdict = Verdict::kNotOurs;
  if (verdict != Verdict::kForward) {
    if (!facts.kernel_wants_rest) return verdict;
    exits_.punt(&mbuf, PuntKind::kKernel);  // the kernel judges what is not for us, or broken
    return Verdict::kPunted;
  }
  const ByteView packet = frame.subspan(outer.payload_offset, outer.payload_length);
  if (packet.size() <= 1) return Verdict::kPunch;
  if (facts.overlay_networks.contains(outer.source_ip, outer.v4)) return Verdict::kOwnOverlaySource;
  const auto header = wire::parse_header(packet);
  if (!header) return verdict_of(header.error());
  if (!wire::kMessageRules[static_cast<std::size_t>(header->type)].encrypted)
    return classify_clear(mbuf, *header, outer, packet);
  if (packet.size() < kOverhead) return Verdict::kTooShort;
  if (header->type == wire::MessageType::kMessage && header->subtype == wire::kSubtypeRelay)
    return Verdict::kRelayUnsupported;
  out = {.mbuf = &mbuf,
         .packet = data_of(mbuf) + outer.payload_offset,
         .counter = header->counter.raw(),
         .source_key = outer.source_key(),
         .index = LocalIndex{header->index},
         .length = outer.payload_length,
         .type = header->type,
         .subtype = header->subtype};
  return Verdict::kForward;
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

// From index to session: each step touches what the next one needs, for all of the burst.
void OutsidePipeline::find_sessions() {
  for (Inbound& packet : std::span(burst_.data(), size_)) {
    SessionHot* session = packet.session = context_.sessions.take(packet.index);
    if (session == nullptr) continue;
    rte_prefetch0(&session->lock);
    rte_prefetch0(session->window.place_of(Counter{packet.counter}));
  }
  std::size_t unknown = 0;
  size_ = sift({burst_.data(), size_}, exits_, [&](Inbound& packet, std::size_t) {
    if (packet.session != nullptr && packet.session->local == packet.index &&
        !early_.holds(packet.index)) [[likely]] {
      read_session(packet);
      return Verdict::kForward;
    }
    if (waits(packet)) return Verdict::kPunted;
    const Session* session = context_.sessions.find(packet.index);
    if (session == nullptr) return unknown_index(packet, unknown);
    packet.session = session->hot;
    read_session(packet);
    return Verdict::kForward;
  });
}

// For its session, or behind those that do. When it does not, the table has to be asked again: the
// session may have opened meanwhile.
bool OutsidePipeline::waits(const Inbound& packet) {
  if (releasing_) return false;
  const bool early = early_.holds(packet.index) || context_.sessions.is_awaited(packet.index);
  return early && early_.hold(packet.mbuf, packet.index);
}

// Perhaps worth a recv_error, unless there are many of them: then most are not worth a place in the
// ring either.
Verdict OutsidePipeline::unknown_index(const Inbound& packet, std::size_t& seen) {
  if (++seen > kUnknownPerBurst) return Verdict::kNoSession;
  PuntMeta& meta = punt_meta(*packet.mbuf);
  meta.header = header_of(packet);
  meta.source = source_of(packet);
  exits_.punt(packet.mbuf, PuntKind::kUnknownIndex);
  return Verdict::kPunted;
}

// Cheap refusals before the cipher, and a job for it of what remains. Two equal counters in one
// burst both pass; the commit decides.
void OutsidePipeline::prepare() {
  const Cipher cipher = context_.aead.cipher();
  groups_.clear();
  std::size_t kept = 0;
  for (std::size_t i = 0; i < size_; ++i) {
    const Inbound& packet = burst_[i];
    const Verdict verdict = verdict_of(packet.session->window.check(Counter{packet.counter}));
    if (verdict != Verdict::kForward) {
      // A stranger's counters collide with those that the peer has used.
      notice_stranger(packet);
      exits_.drop(packet.mbuf, verdict);
      continue;
    }
    const std::uint32_t length = packet.length - std::uint32_t{kOverhead};
    groups_.add(packet.session, length);
    AeadJob& job = jobs_[kept];
    store_block(&job.nonce, make_nonce(cipher, packet.counter));
    job.key = &packet.tunnel->open_key;
    job.aad = packet.packet;
    job.aad_length = wire::Header::kSize;
    job.text = packet.packet + wire::Header::kSize;
    job.length = length;
    job.tag = job.text + length;
    job.next = packet.tunnel;  // for the source's address
    if (kept < kKeysAhead) job.key->prefetch();
    if (kept != i) burst_[kept] = packet;
    ++kept;
  }
  size_ = kept;
}

// Marks the counters of authentic packets as received, a session's packets under one lock.
void OutsidePipeline::commit() {
  for (const SessionGroup& group : groups_.groups()) commit(group);
}

void OutsidePipeline::commit(const SessionGroup& group) {
  SessionHot& hot = *group.session;
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  rte_spinlock_lock(&hot.lock);
  std::uint8_t i = group.first;
  for (std::uint8_t left = group.packets; left > 0; --left, i = groups_.next(i)) {
    Verdict& verdict = verdicts_[i];
    verdict = Verdict::kForged;
    if (jobs_[i].authentic) verdict = verdict_of(hot.window.commit(Counter{burst_[i].counter}));
    if (verdict != Verdict::kForward) continue;
    ++packets;
    bytes += jobs_[i].length;
  }
  hot.count_received(packets, bytes);
  rte_spinlock_unlock(&hot.lock);
}

Verdict OutsidePipeline::deliver_one(Inbound& packet, const Facts& facts) {
  if (packet.source_key != packet.remote_key) notice_move(packet);
  const ByteView text(packet.packet + wire::Header::kSize, packet.length - kOverhead);
  if (packet.type != wire::MessageType::kMessage) return punt_message(packet, text);
  wire::InnerView inner;
  if (!wire::parse_inner(text, inner)) return Verdict::kInnerMalformed;
  if (!packet.tunnel->sources.contains(inner.source, inner.v4)) return Verdict::kWrongSource;
  if (!facts.local.contains(inner.destination, inner.v4)) return Verdict::kNotForUs;
  set_data(*packet.mbuf, text.data(), text.size());
  return Verdict::kForward;
}

void OutsidePipeline::deliver(const Facts& facts) {
  inside_size_ = 0;
  for (std::size_t i = 0; i < size_; ++i) {
    Inbound& packet = burst_[i];
    const Verdict verdict =
        verdicts_[i] == Verdict::kForward ? deliver_one(packet, facts) : verdicts_[i];
    if (verdict == Verdict::kForged) notice_stranger(packet);
    if (verdict == Verdict::kForward) {
      to_inside_[inside_size_++] = packet.mbuf;
    } else if (verdict != Verdict::kPunted) {
      exits_.drop(packet.mbuf, verdict);
    }
  }
}

Verdict OutsidePipeline::punt_message(Inbound& packet, ByteView text) {
  PuntMeta& meta = punt_meta(*packet.mbuf);
  meta.header = header_of(packet);
  meta.source = source_of(packet);
  meta.session = packet.index;
  set_data(*packet.mbuf, text.data(), text.size());
  exits_.punt(packet.mbuf, PuntKind::kSessionMessage);
  return Verdict::kPunted;
}

// Somebody who is not the peer sends under the session's index: perhaps a host that answered our
// handshake too late and believes in a tunnel (protocol/handshake.md 7.2). One notice a burst.
void OutsidePipeline::notice_stranger(const Inbound& packet) {
  if (stranger_noticed_) return;
  if (packet.source_key == packet.remote_key) return;
  stranger_noticed_ = true;
  PuntMeta meta;
  meta.kind = PuntKind::kForged;
  meta.session = packet.index;
  meta.source = source_of(packet);
  meta.header = header_of(packet);
  exits_.notice(meta, packet.mbuf->pool);
}

// Once until the control thread has dealt with it: a peer's every packet may come from elsewhere.
void OutsidePipeline::notice_move(const Inbound& packet) {
  std::atomic<bool>& noticed = packet.session->move_noticed;
  if (noticed.load(std::memory_order_relaxed) || noticed.exchange(true)) return;
  PuntMeta meta;
  meta.kind = PuntKind::kMoved;
  meta.session = packet.index;
  meta.source = source_of(packet);
  exits_.notice(meta, packet.mbuf->pool);
}

}  // namespace magnetar
