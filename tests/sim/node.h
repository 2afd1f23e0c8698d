// SPDX-License-Identifier: Apache-2.0
// A gateway in the simulator: the real control plane over a model of the data plane, which keeps
// sessions, counters and replay marks, and insists that the actions make sense.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/control_plane.h"
#include "tests/sim/host.h"

namespace magnetar::sim {

class Node final : public Host, private TrafficSource {
 public:
  Node(Net& net, std::string name, std::shared_ptr<const Identity> identity, UnderlayAddr underlay,
       ControlSettings settings, std::uint64_t seed);

  void send(const VpnAddr& to, std::string_view text) override;
  // A test request with this body through the tunnel to a peer.
  void test(const VpnAddr& to, ByteView body);
  void receive(const Datagram& datagram) override;
  void on_time() override;
  void close(const VpnAddr& peer);
  void restart() override;
  void set_remotes(const VpnAddr& peer, std::vector<UnderlayAddr> remotes) override;
  // A reload with another certificate.
  void renew(std::shared_ptr<const Identity> identity);

  [[nodiscard]] std::optional<Instant> next_timeout() const override;
  [[nodiscard]] std::size_t pending() const override { return control_->tunnels_pending(); }
  [[nodiscard]] const Session* session_to(const VpnAddr& peer) const override;
  void describe(DigestSink& sink) const override;

  [[nodiscard]] const ControlPlane& control() const { return *control_; }

  std::vector<Bytes> test_replies;  // bodies

 private:
  void execute(Actions actions);
  void carry_out(SendDatagram& action);
  void carry_out(SendInSession& action);
  void carry_out(SendQueued& action);
  void carry_out(AwaitSession& action);
  void carry_out(UnawaitSession& action);
  void carry_out(OpenSession& action);
  void carry_out(RoutePeer& action);
  void carry_out(UnroutePeer& action);
  void carry_out(MoveSession& action);
  void carry_out(SetPathMtu& action);
  void carry_out(CloseSession& action);
  void carry_out(HandshakeEnded& action);
  void carry_out(Refused& action);
  void carry_out(LogEvent& action);

  [[nodiscard]] Traffic take(LocalIndex session) override;
  Session& open_session(LocalIndex local);
  void receive_in_session(Session& session, const wire::Header& header, const Datagram& datagram);

  ControlSettings settings_;
  std::unique_ptr<ControlPlane> control_;
  std::map<VpnAddr, LocalIndex> routes_;
  std::map<LocalIndex, std::vector<Datagram>> awaited_;  // and what came early for each
  std::vector<Datagram> released_;                       // came early, to be received again
};

}  // namespace magnetar::sim
