// SPDX-License-Identifier: Apache-2.0
// What happens to tunnels that stand: messages inside them, moves of the peer, and the
// unauthenticated recv_error both ways (handshake.md sections 10, 11 and 14). Control thread only.
#pragma once

#include "controlplane/tunnel/lifecycle.h"
#include "controlplane/tunnel/path_prober.h"

namespace magnetar {

class SessionEvents {
 public:
  SessionEvents(Core& core, Lifecycle& lifecycle, PathProber& prober)
      : core_(core), lifecycle_(lifecycle), prober_(prober) {}

  void on_message(LocalIndex session, const wire::Header& header, ByteView plaintext, Now now,
                  Actions& out);
  void on_moved(LocalIndex session, const UnderlayAddr& from, Now now, Actions& out);
  void on_recv_error(const UnderlayAddr& from, RemoteIndex index, Actions& out);
  void on_unknown_index(const UnderlayAddr& from, LocalIndex index, Now now, Actions& out);
  void on_forged(LocalIndex session, const UnderlayAddr& from, Now now, Actions& out);

 private:
  // Within the budget, or the refusal is in `out`.
  [[nodiscard]] bool send_recv_error(const UnderlayAddr& to, LocalIndex index, Now now,
                                     Actions& out);
  void on_test(Tunnel& tunnel, std::uint8_t subtype, ByteView body, Now now, Actions& out);

  Core& core_;
  Lifecycle& lifecycle_;
  PathProber& prober_;
};

}  // namespace magnetar
