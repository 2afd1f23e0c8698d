// SPDX-License-Identifier: Apache-2.0
// Models of Nebula peers. They speak our Noise and payload code, but have a state machine of their
// own, as plain as it can be, written from handshake.md and the table of what real peers were seen
// to do. What the two dialects share is here; where they differ is a virtual function.
//
// Left out: lighthouses, relays, certificate changes and the roaming of peers that were tested
// elsewhere against the real thing.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/handshake/initiator.h"
#include "controlplane/handshake/responder.h"
#include "tests/sim/host.h"

namespace magnetar::sim {

class Nebula : public Host {
 public:
  static constexpr Duration kTryInterval = std::chrono::milliseconds(100);
  static constexpr Duration kAliveInterval = std::chrono::seconds(5);
  static constexpr Duration kPendingDeletion = std::chrono::seconds(10);

  Nebula(Net& net, std::string name, std::shared_ptr<const Identity> identity,
         UnderlayAddr underlay, std::uint64_t seed, std::uint32_t retries = 10);

  void send(const VpnAddr& to, std::string_view text) override;
  void receive(const Datagram& datagram) override;
  void on_time() override;
  void restart() override;
  void set_remotes(const VpnAddr& peer, std::vector<UnderlayAddr> remotes) override;

  [[nodiscard]] std::optional<Instant> next_timeout() const override;
  [[nodiscard]] std::size_t pending() const override { return pending_.size(); }
  [[nodiscard]] const Session* session_to(const VpnAddr& peer) const override;
  void describe(DigestSink& sink) const override;

 protected:
  struct Answer {
    Bytes stage_1;  // without the header
    Bytes stage_2;
  };
  struct Tunnel {
    LocalIndex local;
    VpnAddr peer;
    std::uint64_t peer_time_ns = 0;
    std::optional<Answer> answer;  // none: we were the initiator
    int recv_errors = 0;
    bool deletion = false;  // a test went unanswered so far
    std::optional<Instant> check_at;
  };
  struct Pending {
    handshake::Initiator initiator;
    Instant due;
    std::uint32_t sends = 0;
    std::vector<std::string> queue;
    std::vector<UnderlayAddr> blocked;
  };

  // Where the dialects differ.
  // The tunnel whose stage 2 answers this body again.
  [[nodiscard]] virtual const Tunnel* already_seen(const VpnAddr& peer, ByteView body) const = 0;
  [[nodiscard]] virtual bool too_old(const Tunnel& primary, std::uint64_t time_ns) const = 0;
  // False: the stage 1 of this peer is ignored because ours goes on.
  [[nodiscard]] virtual bool yields_to(const VpnAddr& peer) = 0;
  virtual void make_room(const VpnAddr& peer) = 0;  // for a new tunnel
  [[nodiscard]] virtual int tolerated_recv_errors() const = 0;
  [[nodiscard]] virtual bool closes_wrong_responder() const = 0;
  virtual void on_unauthentic(Session& session, const wire::Header& header,
                              const Datagram& datagram) = 0;
  virtual void on_replayed(const wire::Header& header, const Datagram& datagram) = 0;
  [[nodiscard]] virtual bool trusts_any_close() const = 0;
  virtual void check(Tunnel& tunnel) = 0;
  virtual void on_sent(Tunnel&) {}

  [[nodiscard]] Tunnel* primary(const VpnAddr& peer);
  [[nodiscard]] const std::vector<LocalIndex>& all(const VpnAddr& peer) const;
  void make_primary(const Tunnel& tunnel);
  void close(LocalIndex local);
  void send_in(Tunnel& tunnel, wire::MessageType type, std::uint8_t subtype, ByteView plaintext);
  void send_test(Tunnel& tunnel);
  void send_recv_error(std::uint32_t index, const UnderlayAddr& to);
  void roam(Session& session, const UnderlayAddr& to) { session.facts.remote_addr = to; }

  std::map<LocalIndex, Tunnel> tunnels_;
  std::map<VpnAddr, std::vector<LocalIndex>> by_peer_;  // by its first address; the primary first
  std::map<VpnAddr, Pending> pending_;
  std::vector<std::string> moved_queue_;  // of a race lost: leaves through the new tunnel

 private:
  [[nodiscard]] LocalIndex draw_index();
  [[nodiscard]] EphemeralPrivateKey draw_ephemeral();
  [[nodiscard]] std::uint64_t stamp();
  Pending& start(const VpnAddr& target);
  void transmit(const VpnAddr& target);
  void on_stage_1(const Datagram& datagram);
  void on_stage_2(const Datagram& datagram, LocalIndex index);
  void on_recv_error(const Datagram& datagram, std::uint32_t index);
  void on_data(Session& session, const wire::Header& header, const Datagram& datagram);
  Tunnel& open(Tunnel tunnel, const std::vector<VpnAddr>& addrs, OpenSession facts);
  void flush(Tunnel& tunnel, std::vector<std::string> queue);

  std::uint32_t retries_;
  std::map<VpnAddr, std::vector<UnderlayAddr>> remotes_;
  std::map<VpnAddr, VpnAddr> first_of_;  // of the addresses of who has had a tunnel
  std::uint64_t last_stamp_ = 0;
};

// 1.6.1 and before: one tunnel per peer, the race is decided by address, tunnels die by what they
// send, not by what they are.
class NebulaOld final : public Nebula {
 public:
  using Nebula::Nebula;

 private:
  const Tunnel* already_seen(const VpnAddr& peer, ByteView body) const override;
  bool too_old(const Tunnel& primary, std::uint64_t time_ns) const override;
  bool yields_to(const VpnAddr& peer) override;
  void make_room(const VpnAddr& peer) override;
  int tolerated_recv_errors() const override { return 3; }
  bool closes_wrong_responder() const override { return false; }
  void on_unauthentic(Session& session, const wire::Header& header,
                      const Datagram& datagram) override;
  void on_replayed(const wire::Header& header, const Datagram& datagram) override;
  bool trusts_any_close() const override { return true; }
  void check(Tunnel& tunnel) override;
  void on_sent(Tunnel& tunnel) override;
};

// 1.10 and later: several tunnels, no rule for races, the connection manager converges.
class NebulaNew final : public Nebula {
 public:
  static constexpr std::size_t kMaxPerPeer = 5;
  using Nebula::Nebula;

 private:
  const Tunnel* already_seen(const VpnAddr& peer, ByteView body) const override;
  bool too_old(const Tunnel& primary, std::uint64_t time_ns) const override;
  bool yields_to(const VpnAddr&) override { return true; }
  void make_room(const VpnAddr& peer) override;
  int tolerated_recv_errors() const override { return 0; }
  bool closes_wrong_responder() const override { return true; }
  void on_unauthentic(Session&, const wire::Header&, const Datagram&) override {}
  void on_replayed(const wire::Header&, const Datagram&) override {}
  bool trusts_any_close() const override { return false; }
  void check(Tunnel& tunnel) override;
};

}  // namespace magnetar::sim
