// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/session_events.h"

#include <algorithm>

#include "dataplane/wire/header.h"
#include "dataplane/wire/outer_packet.h"

namespace magnetar {
namespace {

// With all headers and the tag a longer reply would not fit a jumbo frame of 9,000 bytes.
constexpr std::size_t kMaxTestBody = 9000 - wire::outer_overhead(true) - wire::kOverhead;
// A peer that roamed does not roam back at once: packets in flight would make it flap.
constexpr Duration kRoamingSuppression = std::chrono::seconds(2);

void refused(Refusal why, Actions& out) { out.emplace_back(Refused{label(why)}); }

}  // namespace

void SessionEvents::on_message(LocalIndex session, const wire::Header& header, ByteView plaintext,
                               Now now, Actions& out) {
  Tunnel* const tunnel = core_.tunnels.find(session);
  if (tunnel == nullptr) return refused(Refusal::kSessionGone, out);
  if (header.type == wire::MessageType::kCloseTunnel)
    lifecycle_.note_heard(*tunnel, now);
  else
    lifecycle_.heard(*tunnel, now, out);
  switch (header.type) {
    case wire::MessageType::kTest:
      return on_test(*tunnel, header.subtype, plaintext, now, out);
    case wire::MessageType::kCloseTunnel:
      return lifecycle_.close(session, "closed_by_peer", out);
    case wire::MessageType::kLighthouse:
      return refused(Refusal::kLighthouseUnsupported, out);
    case wire::MessageType::kControl:
      return refused(Refusal::kControlUnsupported, out);
    case wire::MessageType::kMessage:
    case wire::MessageType::kHandshake:
    case wire::MessageType::kRecvError:
      return refused(Refusal::kRelayUnsupported, out);
  }
}

void SessionEvents::on_test(Tunnel& tunnel, std::uint8_t subtype, ByteView body, Now now,
                            Actions& out) {
  // Of a reply to the connection manager, that it came is all it says.
  if (subtype != wire::kSubtypeTestRequest) return prober_.on_answer(tunnel, body, now, out);
  if (body.size() > kMaxTestBody) return refused(Refusal::kTestTooLong, out);
  out.emplace_back(SendInSession{tunnel.local, wire::MessageType::kTest, wire::kSubtypeTestReply,
                                 to_vector(body)});
}

void SessionEvents::on_moved(LocalIndex session, const UnderlayAddr& from, Now now, Actions& out) {
  Tunnel* const tunnel = core_.tunnels.find(session);
  if (tunnel == nullptr) return refused(Refusal::kSessionGone, out);
  lifecycle_.heard(*tunnel, now, out);
  if (core_.is_own_underlay(from)) return refused(Refusal::kOwnAddress, out);
  if (from.port == 0) return refused(Refusal::kNoPort, out);
  if (from == tunnel->remote_addr) return;
  const auto& roamed = tunnel->roamed;
  if (roamed && roamed->from == from && now.steady - roamed->at < kRoamingSuppression) return;

  out.emplace_back(MoveSession{session, from});
  out.emplace_back(LogEvent{
      LogLevel::kDebug, "event=\"peer moved\" peer=" + tunnel->overlay_addrs.front().to_string() +
                            " from=" + tunnel->remote_addr.to_string() +
                            " to=" + from.to_string()});
  tunnel->roamed = Roamed{tunnel->remote_addr, now.steady};
  tunnel->remote_addr = from;
  prober_.on_moved(*tunnel, now);
}

void SessionEvents::on_recv_error(const UnderlayAddr& from, RemoteIndex index, Actions& out) {
  const auto named = core_.tunnels.with_remote(index);
  if (named.empty()) return refused(Refusal::kRecvErrorUnknown, out);
  const auto meant = std::ranges::find_if(
      named, [&](const Tunnel* tunnel) { return tunnel->remote_addr == from; });
  if (meant == named.end()) return refused(Refusal::kRecvErrorSpoofed, out);
  lifecycle_.close_lost((*meant)->local, "recv_error", out);
}

void SessionEvents::on_unknown_index(const UnderlayAddr& from, LocalIndex index, Now now,
                                     Actions& out) {
  // More of a peer's first data than the workers keep for a session that is about to open. A
  // recv_error would take its new tunnel down.
  const bool early =
      core_.pending.find(index) != nullptr || core_.stood_down.find(index) != nullptr;
  if (core_.tunnels.find(index) != nullptr || early) return refused(Refusal::kIndexNotReady, out);
  if (send_recv_error(from, index, now, out)) refused(Refusal::kUnknownIndex, out);
}

// Handshake.md 7.2 and 17: our stage 1 also reached a host that was not asked for, and it takes our
// index for its own. The error names that index, so it goes nowhere the true peer has been seen: it
// would take it for its own. That an address is configured for the peer says nothing here: with a
// wrong host behind one of them this case begins.
void SessionEvents::on_forged(LocalIndex session, const UnderlayAddr& from, Now now, Actions& out) {
  const Tunnel* const tunnel = core_.tunnels.find(session);
  if (tunnel == nullptr) return refused(Refusal::kSessionGone, out);
  if (core_.has_seen_at(*tunnel, from)) return refused(Refusal::kForged, out);
  if (send_recv_error(from, session, now, out)) refused(Refusal::kForgedByStranger, out);
}

bool SessionEvents::send_recv_error(const UnderlayAddr& to, LocalIndex index, Now now,
                                    Actions& out) {
  const auto refusal = [&]() -> std::optional<Refusal> {
    if (to.port == 0) return Refusal::kNoPort;
    if (core_.is_own_underlay(to)) return Refusal::kOwnAddress;
    if (!core_.recv_errors.admit(to.ip, now.steady)) return Refusal::kRecvErrorRateLimited;
    return std::nullopt;
  }();
  if (refusal) {
    refused(*refusal, out);
    return false;
  }
  Bytes packet(wire::Header::kSize);
  wire::write_header(std::span(packet).first<wire::Header::kSize>(),
                     {.type = wire::MessageType::kRecvError, .index = index.raw()});
  out.emplace_back(SendDatagram{to, std::move(packet)});
  return true;
}

}  // namespace magnetar
