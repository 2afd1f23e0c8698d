// SPDX-License-Identifier: Apache-2.0
// One control plane with its own clock and randomness, driven by hand: each call gives what it
// asked for.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/control_plane.h"
#include "tests/support/identities.h"
#include "tests/support/random.h"

namespace magnetar::testing {

inline VpnAddr vpn(std::string_view text) { return VpnAddr{IpAddr::parse(text).value()}; }
inline UnderlayAddr at(std::string_view text) { return UnderlayAddr::parse(text).value(); }

// The actions of one kind, in order.
template <typename T>
std::vector<const T*> all(const Actions& actions) {
  std::vector<const T*> found;
  for (const Action& action : actions)
    if (const T* one = std::get_if<T>(&action)) found.push_back(one);
  return found;
}
template <typename T>
const T& only(const Actions& actions) {
  const auto found = all<T>(actions);
  if (found.size() != 1) throw std::logic_error("not exactly one such action");
  return *found.front();
}

inline std::vector<std::string> reasons(const Actions& actions) {
  std::vector<std::string> out;
  for (const Refused* refused : all<Refused>(actions)) out.emplace_back(refused->reason);
  return out;
}
inline std::vector<std::string> results(const Actions& actions) {
  std::vector<std::string> out;
  for (const HandshakeEnded* ended : all<HandshakeEnded>(actions)) {
    const bool initiator = ended->role == HandshakeRole::kInitiator;
    out.push_back((initiator ? "initiator " : "responder ") + std::string(ended->result));
  }
  return out;
}

// What the actions are, in order and without their contents.
inline std::vector<std::string> kinds(const Actions& actions) {
  static constexpr std::array<std::string_view, 14> kNames{
      "SendDatagram", "SendInSession",  "SendQueued",  "AwaitSession", "UnawaitSession",
      "OpenSession",  "RoutePeer",      "UnroutePeer", "MoveSession",  "SetPathMtu",
      "CloseSession", "HandshakeEnded", "Refused",     "LogEvent"};
  static_assert(std::variant_size_v<Action> == kNames.size());
  std::vector<std::string> out;
  for (const Action& action : actions) out.emplace_back(kNames[action.index()]);
  return out;
}

// What the data plane of a host has seen: nothing, unless a test says so.
class ScriptedTraffic final : public TrafficSource {
 public:
  Traffic take(LocalIndex session) override {
    Traffic& seen = seen_[session];
    const Traffic taken = seen;
    seen.in = seen.out = false;
    return taken;
  }
  Traffic& of(LocalIndex session) { return seen_[session]; }

 private:
  std::map<LocalIndex, Traffic> seen_;
};

class ControlHost {
 public:
  ControlHost(std::shared_ptr<const Identity> identity, UnderlayAddr where,
              ControlSettings settings = {}, std::uint64_t seed = 1)
      : random_(seed),
        where_(where),
        control(std::move(identity), with_own_addr(std::move(settings), where), random_, &traffic) {
  }

  [[nodiscard]] const UnderlayAddr& where() const { return where_; }

  Actions packet(VpnAddr to, std::string_view text) {
    Actions out;
    control.on_packet_without_tunnel(to, {to_vector(as_bytes(text))}, now, out);
    return out;
  }
  // As the data plane would hand it over: a handshake or a recv_error.
  Actions receive(const UnderlayAddr& from, ByteView bytes) {
    Actions out;
    const auto header = wire::parse_header(bytes);
    if (!header) throw std::logic_error("the data plane would drop this");
    if (header->type == wire::MessageType::kRecvError)
      control.on_recv_error(from, *header, now, out);
    else
      control.on_handshake(from, *header, bytes, now, out);
    return out;
  }
  Actions message(LocalIndex session, wire::MessageType type, std::uint8_t subtype,
                  ByteView body = {}) {
    Actions out;
    control.on_session_message(session, {.type = type, .subtype = subtype, .index = session.raw()},
                               body, now, out);
    return out;
  }
  Actions moved(LocalIndex session, const UnderlayAddr& from) {
    Actions out;
    control.on_moved(session, from, now, out);
    return out;
  }
  Actions unknown_index(const UnderlayAddr& from, std::uint32_t index) {
    Actions out;
    control.on_unknown_index(from, {.type = wire::MessageType::kMessage, .index = index}, now, out);
    return out;
  }
  Actions forged(LocalIndex session, const UnderlayAddr& from) {
    Actions out;
    control.on_forged(session, from, {.type = wire::MessageType::kMessage, .index = session.raw()},
                      now, out);
    return out;
  }
  Actions tick() {
    Actions out;
    control.on_time(now, out);
    return out;
  }
  Actions close(VpnAddr peer) {
    Actions out;
    control.close(peer, now, out);
    return out;
  }
  void pass(Duration time) {
    now.steady += time;
    now.wall += time;
  }

 private:
  static ControlSettings with_own_addr(ControlSettings settings, const UnderlayAddr& where) {
    settings.own_addrs = {where};
    return settings;
  }

  SeededRandom random_;
  UnderlayAddr where_;

 public:
  ScriptedTraffic traffic;
  ControlPlane control;
  Now now{Instant{std::chrono::seconds(1000)}, kWallStart};
};

}  // namespace magnetar::testing
