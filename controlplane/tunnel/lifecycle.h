// SPDX-License-Identifier: Apache-2.0
// Tunnels come and go: what each change means for sessions and routes. Control thread only.
//
// Which tunnel to a peer packets leave through, when there are several:
// - One we started is used as soon as it stands: the peer had its keys before its stage 2 left.
// - One that the peer started is used at once if no other works. If one does, that one stays in use
//   until an authentic packet of the peer came through the new one. Only then it is certain that
//   stage 2 arrived: before, the peer could not read what we send (Nebula switches at once and
//   loses those packets), and a stage 1 that somebody made up would take the traffic away. A peer
//   that restarted does not know the old tunnel: it says so by recv_error at the first packet,
//   which closes the old one and so brings the new one into use, if the packets it had waiting have
//   not done so before.
// - After that the higher overlay address decides (keeper.h).
// All of them are open for receiving until they are closed.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "controlplane/handshake/claim.h"
#include "controlplane/tunnel/core.h"

namespace magnetar {

// The two keys from our side.
struct SessionKeys {
  TransportKey send;
  TransportKey receive;
};
[[nodiscard]] SessionKeys keys_of_initiator(noise::Transport transport);
[[nodiscard]] SessionKeys keys_of_responder(noise::Transport transport);

// Packets that waited for a tunnel to this address.
struct Waiting {
  VpnAddr target;
  std::vector<QueuedPacket> queue;
};

struct NewTunnel {
  Tunnel tunnel;
  SessionKeys keys;
  std::vector<Waiting> waiting;  // for this handshake
  Duration took{};               // of the handshake, as far as we saw it
  bool spare = false;            // not to be preferred to a tunnel that stands
};

[[nodiscard]] OpenSession session_of(const Tunnel& tunnel, SessionKeys keys);

class Lifecycle {
 public:
  explicit Lifecycle(Core& core) : core_(core) {}

  // A finished handshake. Pending handshakes with the addresses it serves end here; each queue
  // leaves through the tunnel that is used for its address. Answers the peer if there is a cached
  // answer.
  void open(NewTunnel fresh, Now now, Actions& out);
  // Closes on our side only.
  void close(LocalIndex local, std::string_view why, Actions& out);
  // Tells the peer first.
  void close_and_tell(LocalIndex local, std::string_view why, Actions& out);
  // The peer does not have it any more: it may have restarted, with its clock set back.
  void close_lost(LocalIndex local, std::string_view why, Actions& out);
  // Ends a pending handshake without a tunnel; its queue is lost and counted.
  void end_pending(const VpnAddr& target, std::string_view result, Actions& out);
  // Attempts that stood down and whose time is up.
  void forget_stood_down(Now now, Actions& out);

  // Packets to this peer leave through this tunnel from now on.
  void prefer(Tunnel& tunnel, Now now, Actions& out);
  // An authentic packet of the peer came through it. The first one may bring it into use.
  void heard(Tunnel& tunnel, Now now, Actions& out);
  // The same for its last packet. True: it was the first one, too.
  bool note_heard(Tunnel& tunnel, Now now);
  // Asks the data plane what it has seen since it was asked last.
  void ask_traffic(Tunnel& tunnel, Now now, Actions& out);
  [[nodiscard]] bool is_primary(const Tunnel& tunnel) const;

 private:
  // Ends pending handshakes with any of these addresses; their queues are moved.
  void supersede(const std::vector<VpnAddr>& addrs, std::vector<Waiting>& waiting, Now now,
                 Actions& out);
  void send_waiting(std::vector<Waiting> waiting, Actions& out);
  void stand_down(Pending pending, Now now, Actions& out);
  void release_attempt(LocalIndex local, Actions& out);
  // Whether a tunnel that stands goes on being used.
  [[nodiscard]] bool yields(const Tunnel& fresh, Now now, Actions& out);
  void evict_beyond_limit(const Tunnel& newest, Actions& out);

  Core& core_;
};

}  // namespace magnetar
