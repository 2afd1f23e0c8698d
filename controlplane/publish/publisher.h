// SPDX-License-Identifier: Apache-2.0
// Carries out what the control plane asks of the data plane: sessions and routes into the tables,
// messages sealed and sent. Control thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "controlplane/action.h"
#include "controlplane/publish/underlay.h"
#include "dataplane/control_ring.h"
#include "dataplane/crypto/aead.h"
#include "dataplane/tables/route_table.h"
#include "dataplane/tables/session_table.h"

struct rte_mempool;

namespace magnetar {

// What the workers counted for one session.
struct SessionTallies {
  std::uint64_t rx_packets = 0, rx_bytes = 0, tx_packets = 0, tx_bytes = 0, tx_counter = 0;
};

class Publisher {
 public:
  // All must outlive this object. `aead` is this thread's own.
  struct Parts {
    SessionTable& sessions;
    RouteTable& routes;
    ControlRings& rings;
    Aead& aead;
    PathFinder& paths;
    // Sends what only the kernel can resolve so far; false: it cannot either.
    std::function<bool(const UnderlayAddr&, ByteView)> send_by_kernel;
    rte_mempool* pool;
    std::uint16_t workers;
    std::uint16_t outside_mtu;
  };
  explicit Publisher(Parts parts) : parts_(std::move(parts)) {}

  void carry_out(const AwaitSession& action) { parts_.sessions.await(action.local); }
  void carry_out(const UnawaitSession& action) { parts_.sessions.unawait(action.local); }
  void carry_out(OpenSession& action);
  void carry_out(const CloseSession& action);
  void carry_out(const MoveSession& action);
  void carry_out(const SetPathMtu& action);
  void carry_out(const RoutePeer& action);
  void carry_out(const UnroutePeer& action);
  void carry_out(const SendInSession& action);
  void carry_out(const SendQueued& action);
  void carry_out(const SendDatagram& action);
  // A frame of the kernel's twin, for the wire.
  void send_frame(ByteView frame);

  // The kernel's routes or neighbours changed: every session gets its path anew.
  void refresh_paths();
  // A worker has noticed that a peer moved, and will not say so again before rearm_notices().
  void noticed(LocalIndex session) { noticed_.push_back(session); }
  void rearm_notices();
  void reap();

  [[nodiscard]] std::optional<SessionTallies> tallies(LocalIndex session) const;
  // Packets that could not be sent: no path at all, larger than a frame, a full ring or pool.
  [[nodiscard]] std::uint64_t unreachable() const { return unreachable_; }
  [[nodiscard]] std::uint64_t too_big() const { return too_big_; }
  [[nodiscard]] std::uint64_t overflowed() const { return overflowed_; }

 private:
  [[nodiscard]] std::unique_ptr<Remote> remote_for(const UnderlayAddr& addr);
  void seal_and_send(const Session& session, wire::MessageType type, std::uint8_t subtype,
                     ByteView plaintext, std::uint16_t worker);
  [[nodiscard]] rte_mbuf* allocate(std::size_t size);
  void enqueue(rte_mbuf* frame, std::uint16_t worker);

  Parts parts_;
  std::vector<LocalIndex> noticed_;
  std::uint64_t unreachable_ = 0;
  std::uint64_t too_big_ = 0;
  std::uint64_t overflowed_ = 0;
};

}  // namespace magnetar
