// SPDX-License-Identifier: Apache-2.0
// What the pure control plane may ask for. The daemon and the simulator carry these out, in order.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "dataplane/base/addr.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/secret.h"
#include "dataplane/base/strong.h"
#include "dataplane/base/time.h"
#include "dataplane/wire/message_rules.h"

namespace magnetar {

// An inner packet that waits for a tunnel, and the worker that brought it: flushed through the same
// worker, so that it leaves before what that worker seals next.
struct QueuedPacket {
  Bytes packet;
  std::uint16_t worker = 0;
};

// A whole Nebula packet (header included) that needs no session: handshake, recv_error.
struct SendDatagram {
  UnderlayAddr to;
  Bytes bytes;
  // A stage 2: each worker sends it, so that none sends data of the new tunnel ahead of it. Copies
  // are nothing to the peer.
  bool ahead_of_data = false;
};
// A message to be sealed with the session's keys, counter and remote.
struct SendInSession {
  LocalIndex session;
  wire::MessageType type;
  std::uint8_t subtype = 0;
  Bytes plaintext;
};
// Inner packets that waited for this session, in order.
struct SendQueued {
  LocalIndex session;
  std::vector<QueuedPacket> packets;
};
// An attempt of ours goes out under this index. What comes for it before its session is open waits
// for that: a peer's first data follows its stage 2 closely, and may overtake it.
struct AwaitSession {
  LocalIndex local;
};
// The attempt has ended without a session.
struct UnawaitSession {
  LocalIndex local;
};
// A session that may be used by the workers from now on: received packets with `local` are opened.
// The first counter either side sends is 3; 0, 1 and 2 count as received (wire.md 2.1).
struct OpenSession {
  LocalIndex local;
  RemoteIndex remote;
  TransportKey send_key;
  TransportKey receive_key;
  std::vector<VpnAddr> overlay_addrs;   // sources the peer may use, each as a host address
  std::vector<Prefix> unsafe_networks;  // and networks behind it
  UnderlayAddr remote_addr;
};
// Packets to `addr` leave through `session` from now on.
struct RoutePeer {
  VpnAddr addr;
  LocalIndex session;
};
struct UnroutePeer {
  VpnAddr addr;
};
// The peer is at another underlay address.
struct MoveSession {
  LocalIndex session;
  UnderlayAddr remote_addr;
};
// The path to the peer carries outer IP packets of at most `mtu` bytes, until the peer moves.
struct SetPathMtu {
  LocalIndex session;
  std::uint16_t mtu;
};
// Nothing is sent or received with this session any more; its keys are wiped after the grace
// period.
struct CloseSession {
  LocalIndex session;
};

enum class HandshakeRole : std::uint8_t { kInitiator, kResponder };
// For counters and the histogram. `result`: "ok", "timeout" or a reason of ControlDrop.
struct HandshakeEnded {
  HandshakeRole role;
  std::string_view result;
  Duration duration{};  // of a good handshake; initiator: from stage 0
};
// A packet that the control plane refused; `reason` is a label of a fixed set.
struct Refused {
  std::string_view reason;
};

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };
// Written by the daemon with its logger. A hostile packet logs at debug only.
struct LogEvent {
  LogLevel level;
  std::string text;  // logfmt: `event="tunnel up" peer=10.42.0.1 ...`
};

using Action = std::variant<SendDatagram, SendInSession, SendQueued, AwaitSession, UnawaitSession,
                            OpenSession, RoutePeer, UnroutePeer, MoveSession, SetPathMtu,
                            CloseSession, HandshakeEnded, Refused, LogEvent>;
using Actions = std::vector<Action>;

}  // namespace magnetar
