// SPDX-License-Identifier: Apache-2.0
// The ways out of the common one: frames that are not plain data messages, and what the control
// thread must hear of.
#include <rte_mbuf.h>

#include "dataplane/outside/pipeline.h"
#include "dataplane/wire/mss.h"

namespace magnetar {
namespace {

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

}  // namespace

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
  if (packet.size() < wire::kOverhead) return Verdict::kTooShort;
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

// What becomes of such a packet.
Verdict OutsidePipeline::find_late(Inbound& packet, std::size_t& unknown) {
  if (waits(packet)) return Verdict::kPunted;
  const Session* session = context_.sessions.find(packet.index);
  if (session == nullptr) return unknown_index(packet, unknown);
  packet.session = session->hot;
  return Verdict::kForward;
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
  if (packet.source_key == packet.session->remote_key.load(std::memory_order_relaxed)) return;
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

// Before they are looked at: what is no connection's beginning is left alone.
void OutsidePipeline::clamp_mss(const Facts& facts) {
  for (std::size_t i = 0; i < size_; ++i) {
    const Inbound& packet = burst_[i];
    if (verdicts_[i] != Verdict::kForward || packet.type != wire::MessageType::kMessage) continue;
    const Remote& remote = *packet.session->remote.load(std::memory_order_acquire);
    wire::clamp_mss({packet.packet + wire::Header::kSize, packet.length - wire::kOverhead},
                    remote.carries(facts.outside_mtu));
  }
}

}  // namespace magnetar
