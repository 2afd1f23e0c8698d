// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/session_events.h"

#include <algorithm>

#include "dataplane/wire/header.h"

namespace magnetar {
namespace {

// With both headers and the tag a longer reply would not fit a jumbo frame.
constexpr std::size_t kMaxTestBody = 8192;
// A peer that roamed does not roam back at once: packets in flight would make it flap.
constexpr Duration kRoamingSuppression = std::chrono::seconds(2);

void refused(Refusal why, Actions& out) { out.emplace_back(Refused{label(why)}); }

}  // namespace

void SessionEvents::on_message(LocalIndex session, const wire::Header& header, ByteView plaintext,
                               Actions& out) {
  if (core_.tunnels.find(session) == nullptr) return refused(Refusal::kSessionGone, out);
  switch (header.type) {
    case wire::MessageType::kTest:
      return on_test(session, header.subtype, plaintext, out);
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

void SessionEvents::on_test(LocalIndex session, std::uint8_t subtype, ByteView body, Actions& out) {
  if (subtype != wire::kSubtypeTestRequest) return;  // a reply; that it came is all it says
  if (body.size() > kMaxTestBody) return refused(Refusal::kTestTooLong, out);
  out.emplace_back(
      SendInSession{session, wire::MessageType::kTest, wire::kSubtypeTestReply, to_vector(body)});
}

void SessionEvents::on_moved(LocalIndex session, const UnderlayAddr& from, Now now, Actions& out) {
  Tunnel* const tunnel = core_.tunnels.find(session);
  if (tunnel == nullptr) return refused(Refusal::kSessionGone, out);
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
}

void SessionEvents::on_recv_error(const UnderlayAddr& from, RemoteIndex index, Actions& out) {
  const auto named = core_.tunnels.with_remote(index);
  if (named.empty()) return refused(Refusal::kRecvErrorUnknown, out);
  const auto meant = std::ranges::find_if(
      named, [&](const Tunnel* tunnel) { return tunnel->remote_addr == from; });
  if (meant == named.end()) return refused(Refusal::kRecvErrorSpoofed, out);
  lifecycle_.close((*meant)->local, "recv_error", out);
}

void SessionEvents::on_unknown_index(const UnderlayAddr& from, LocalIndex index, Now now,
                                     Actions& out) {
  // A peer's first data may overtake its stage 2. A recv_error would take its new tunnel down.
  if (core_.tunnels.find(index) != nullptr || core_.pending.find(index) != nullptr)
    return refused(Refusal::kIndexNotReady, out);
  if (from.port == 0) return refused(Refusal::kNoPort, out);
  if (core_.is_own_underlay(from)) return refused(Refusal::kOwnAddress, out);
  if (!limiter_.admit(from.ip, now.steady)) return refused(Refusal::kRecvErrorRateLimited, out);

  Bytes packet(wire::Header::kSize);
  wire::write_header(std::span(packet).first<wire::Header::kSize>(),
                     {.type = wire::MessageType::kRecvError, .index = index.raw()});
  out.emplace_back(SendDatagram{from, std::move(packet)});
  refused(Refusal::kUnknownIndex, out);
}

}  // namespace magnetar
