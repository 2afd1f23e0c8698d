// SPDX-License-Identifier: Apache-2.0
// Tunnels come and go: what each change means for sessions and routes. Control thread only.
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

struct NewTunnel {
  Tunnel tunnel;
  SessionKeys keys;
  std::vector<QueuedPacket> queue;  // waited for this handshake
  Duration took{};                  // of the handshake, as far as we saw it
};

[[nodiscard]] OpenSession session_of(const Tunnel& tunnel, SessionKeys keys);

class Lifecycle {
 public:
  explicit Lifecycle(Core& core) : core_(core) {}

  // A finished handshake. Pending handshakes with the same peer end here and their queues leave
  // through this tunnel. Answers the peer if there is a cached answer.
  void open(NewTunnel fresh, Actions& out);
  // Closes on our side only.
  void close(LocalIndex local, std::string_view why, Actions& out);
  // Tells the peer first.
  void close_and_tell(LocalIndex local, std::string_view why, Actions& out);

  // Ends a pending handshake without a tunnel; its queue is lost and counted.
  void end_pending(const VpnAddr& target, std::string_view result, Actions& out);

 private:
  // Ends pending handshakes with any of these addresses; their queues are moved.
  [[nodiscard]] std::vector<QueuedPacket> supersede(const std::vector<VpnAddr>& addrs,
                                                    Actions& out);
  void evict_beyond_limit(const Tunnel& newest, Actions& out);

  Core& core_;
};

}  // namespace magnetar
