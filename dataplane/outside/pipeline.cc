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
constexpr std::size_t kSourcesAhead = 20;  // as long as a line takes from beyond the second cache
constexpr std::size_t kAddresses = 8;      // of an inner packet, at the earliest

Verdict verdict_of(ReplayVerdict verdict) {
  if (verdict == ReplayVerdict::kFresh) return Verdict::kForward;
  return verdict == ReplayVerdict::kReplayed ? Verdict::kReplayed : Verdict::kTooOld;
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
  if (facts.clamp_mss) [[unlikely]]
    clamp_mss(facts);
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
  const ByteView view = view_of(mbuf);
  if (mbuf.nb_segs != 1 || !frame.parse(view) || frame.destination_port != facts.listen_port ||
      !facts.underlay.contains(frame.destination_ip, true) ||
      facts.overlay_networks.contains(frame.source_ip, true))
    return false;
  out.mbuf = &mbuf;
  out.packet = const_cast<std::byte*>(view.data()) + wire::PlainFrame::kPayload;  // NOLINT: ours
  out.counter = frame.counter;
  out.source_key = frame.source_key;
  out.index = LocalIndex{frame.index};
  out.length = frame.payload_length;
  out.type = wire::MessageType::kMessage;
  out.subtype = wire::kSubtypeNone;
  return true;
}

void OutsidePipeline::classify(std::span<rte_mbuf*> received, const Facts& facts) {
  std::size_t size = 0;
  stranger_noticed_ = false;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < received.size(); ++i) {
    if (i + kMbufsAhead < received.size()) rte_prefetch0(received[i + kMbufsAhead]);
    if (i + kDataAhead < received.size())
      rte_prefetch0(rte_pktmbuf_mtod(received[i + kDataAhead], void*));
    rte_mbuf& mbuf = *received[i];
    bytes += mbuf.pkt_len;
    Inbound& out = burst_[size];
    const Verdict verdict =
        classify_plain(mbuf, facts, out) ? Verdict::kForward : classify_one(mbuf, facts, out);
    if (verdict == Verdict::kForward) {
      context_.sessions.prefetch(out.index);
      ++size;
    } else if (verdict != Verdict::kPunted) {
      exits_.drop(&mbuf, verdict);
    }
  }
  size_ = size;
  if (releasing_) return;  // these were counted when they came
  context_.stats.outside.rx_packets.add(received.size());
  context_.stats.outside.rx_bytes.add(bytes);
}

// From index to session, whose lines prepare() needs.
void OutsidePipeline::find_sessions() {
  LocalIndex before;
  SessionHot* session = nullptr;
  for (Inbound& packet : std::span(burst_.data(), size_)) {
    if (packet.index != before) {  // a peer's packets come in trains
      before = packet.index;
      session = context_.sessions.take(before);
      if (session != nullptr) {
        rte_prefetch0(&session->lock);
        rte_prefetch0(session->window.place_of(Counter{packet.counter}));
      }
    }
    packet.session = session;
  }
}

// Whether the session that was taken for it is not its own, or whether it must not overtake others.
bool OutsidePipeline::is_strange(const Inbound& packet) const {
  return packet.session == nullptr || packet.session->local != packet.index ||
         early_.holds(packet.index);
}

// Cheap refusals before the cipher, and a job for it of what remains. Two equal counters in one
// burst both pass; the commit decides.
void OutsidePipeline::prepare() {
  const Cipher cipher = context_.aead.cipher();
  groups_.clear();
  std::size_t unknown = 0;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < size_; ++i) {
    Inbound& packet = burst_[i];
    Verdict verdict = is_strange(packet) ? find_late(packet, unknown) : Verdict::kForward;
    if (verdict == Verdict::kPunted) continue;
    if (verdict == Verdict::kForward) {
      verdict = verdict_of(packet.session->window.check(Counter{packet.counter}));
      // A stranger's counters collide with those that the peer has used.
      if (verdict != Verdict::kForward) notice_stranger(packet);
    }
    if (verdict != Verdict::kForward) {
      exits_.drop(packet.mbuf, verdict);
      continue;
    }
    const std::uint32_t length = packet.length - std::uint32_t{wire::kOverhead};
    groups_.add(packet.session, packet.session->open_mark, length);
    AeadJob& job = jobs_[kept];
    store_block(&job.nonce, make_nonce(cipher, packet.counter));
    job.key = &packet.session->session->open_key;
    job.text = packet.packet + wire::Header::kSize;
    job.length = length;
    job.next = &packet.session->session->sources;
    if (kept < kKeysAhead) job.key->prefetch();
    if (kept != i) burst_[kept] = packet;
    ++kept;
  }
  groups_.finish();
  size_ = kept;
}

// Marks the counters of authentic packets as received, a session's packets under one lock, which
// nobody else wants where there is one worker.
void OutsidePipeline::commit() {
  for (const SessionGroup& group : groups_.groups()) commit(group);
}

void OutsidePipeline::commit(const SessionGroup& group) {
  SessionHot& hot = *group.session;
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  if (!context_.alone) rte_spinlock_lock(&hot.lock);
  {
    ReplayWindow::Commits window(hot.window);
    std::uint8_t i = group.first;
    for (std::uint8_t left = group.packets; left > 0; --left, i = groups_.next(i)) {
      Verdict verdict = Verdict::kForged;
      if (jobs_[i].authentic) verdict = verdict_of(window.commit(Counter{burst_[i].counter}));
      verdicts_[i] = verdict;
      if (verdict != Verdict::kForward) continue;
      ++packets;
      bytes += jobs_[i].length;
    }
  }
  hot.count_received(packets, bytes);
  if (!context_.alone) rte_spinlock_unlock(&hot.lock);
}

Verdict OutsidePipeline::deliver_one(Inbound& packet, const Facts& facts, Sender& sender) {
  if (packet.session != sender.session) sender.turn_to(*packet.session);
  if (packet.source_key != sender.remote_key) notice_move(packet);
  const ByteView text(packet.packet + wire::Header::kSize, packet.length - wire::kOverhead);
  if (packet.type != wire::MessageType::kMessage) return punt_message(packet, text);
  wire::InnerView inner;
  if (!wire::parse_inner(text, inner)) return Verdict::kInnerMalformed;
  if (!sender.sources->contains(inner.source, inner.v4)) return Verdict::kWrongSource;
  if (!facts.local.contains(inner.destination, inner.v4)) return Verdict::kNotForUs;
  set_data(*packet.mbuf, text.data(), text.size());
  return Verdict::kForward;
}

void OutsidePipeline::deliver(const Facts& facts) {
  std::size_t delivered = 0;
  Sender sender;
  for (std::size_t i = 0; i < size_; ++i) {
    if (i + kDataAhead < size_) {
      const Inbound& ahead = burst_[i + kDataAhead];
      rte_prefetch0(ahead.packet + wire::Header::kSize);
      rte_prefetch0(ahead.packet + wire::Header::kSize + kAddresses);
      if (is_other_session(i + kDataAhead)) rte_prefetch0(&ahead.session->session->sources);
    }
    if (i + kSourcesAhead < size_ && is_other_session(i + kSourcesAhead)) {
      const Inbound& ahead = burst_[i + kSourcesAhead];
      if (wire::says_ipv6(ahead.packet + wire::Header::kSize))
        rte_prefetch0(ahead.session->session->sources.v6_line());
    }
    Inbound& packet = burst_[i];
    Verdict verdict = verdicts_[i];
    if (verdict == Verdict::kForward) [[likely]] {
      verdict = deliver_one(packet, facts, sender);
      if (verdict == Verdict::kForward) [[likely]] {
        to_inside_[delivered++] = packet.mbuf;
        continue;
      }
    } else if (verdict == Verdict::kForged) {
      notice_stranger(packet);
    }
    if (verdict != Verdict::kPunted) exits_.drop(packet.mbuf, verdict);
  }
  inside_size_ = delivered;
}

}  // namespace magnetar
