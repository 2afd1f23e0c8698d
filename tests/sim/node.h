// SPDX-License-Identifier: Apache-2.0
// A gateway in the simulator: the real control plane over a model of the data plane, which keeps
// sessions, counters and replay marks, and insists that the actions make sense.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "controlplane/control_plane.h"
#include "tests/support/random.h"

namespace magnetar::sim {

class World;

struct Datagram {
  UnderlayAddr from;
  UnderlayAddr to;
  Bytes bytes;
};

struct Session {
  OpenSession facts;
  std::uint64_t next_counter = 3;
  std::set<std::uint64_t> seen = {0, 1, 2};
};

class Node {
 public:
  Node(World& world, std::string name, std::shared_ptr<const Identity> identity,
       UnderlayAddr underlay, ControlSettings settings, std::uint64_t seed);

  // An inner packet for a peer, as the inside would bring it.
  void send(const VpnAddr& to, std::string_view text);
  // A test request with this body through the tunnel to a peer.
  void test(const VpnAddr& to, ByteView body);
  void receive(const Datagram& datagram);
  void on_time();
  void close(const VpnAddr& peer);
  // An unclean restart: every session is gone and nobody is told.
  void restart();
  void move_to(const UnderlayAddr& underlay) { underlay_ = underlay; }
  void set_remotes(const VpnAddr& peer, std::vector<UnderlayAddr> remotes);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const UnderlayAddr& underlay() const { return underlay_; }
  [[nodiscard]] VpnAddr overlay() const { return identity_->certificate.overlay_addrs().front(); }
  [[nodiscard]] const ControlPlane& control() const { return *control_; }
  [[nodiscard]] const Session* session_to(const VpnAddr& peer) const;
  [[nodiscard]] const std::map<LocalIndex, Session>& sessions() const { return sessions_; }
  [[nodiscard]] int refused(const std::string& reason) const;
  [[nodiscard]] int ended(const std::string& result) const;

  std::vector<std::string> delivered;  // inner packets, as they came out
  std::vector<Bytes> test_replies;     // bodies

 private:
  void execute(Actions actions);
  void carry_out(SendDatagram& action);
  void carry_out(SendInSession& action);
  void carry_out(SendQueued& action);
  void carry_out(OpenSession& action);
  void carry_out(RoutePeer& action);
  void carry_out(UnroutePeer& action);
  void carry_out(MoveSession& action);
  void carry_out(CloseSession& action);
  void carry_out(HandshakeEnded& action);
  void carry_out(Refused& action);
  void carry_out(LogEvent& action);

  Session& open_session(LocalIndex local);
  void seal(Session& session, wire::MessageType type, std::uint8_t subtype, ByteView plaintext);
  void receive_in_session(Session& session, const wire::Header& header, const Datagram& datagram);

  World& world_;
  std::string name_;
  std::shared_ptr<const Identity> identity_;
  UnderlayAddr underlay_;
  ControlSettings settings_;
  testing::SeededRandom random_;
  std::unique_ptr<ControlPlane> control_;
  std::map<LocalIndex, Session> sessions_;
  std::map<VpnAddr, LocalIndex> routes_;
  std::map<std::string, int, std::less<>> refused_;
  std::map<std::string, int, std::less<>> ended_;
};

}  // namespace magnetar::sim
