// SPDX-License-Identifier: Apache-2.0
// A machine in the simulator: one of ours (node.h) or a model of a Nebula peer (nebula.h). What
// they share: an identity, an address, open sessions, and the bytes of a tunnel.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/action.h"
#include "controlplane/digest.h"
#include "controlplane/identity.h"
#include "dataplane/base/cipher.h"
#include "dataplane/wire/header.h"
#include "tests/support/random.h"

namespace magnetar::sim {

struct Datagram {
  UnderlayAddr from;
  UnderlayAddr to;
  Bytes bytes;
  std::string inner;  // the inner packet in it, for those who must account for each
};

struct Session {
  OpenSession facts;
  std::uint64_t next_counter = 3;
  std::set<std::uint64_t> seen = {0, 1, 2};
  bool in = false;
  bool out = true;  // a new tunnel counts as used, so that it is tested soon
  std::optional<std::uint16_t> path_mtu;  // none: nothing was said of it
};

class Host;

// Where a host lives.
class Net {
 public:
  virtual ~Net() = default;
  [[nodiscard]] virtual Now now() const = 0;
  virtual void transmit(Datagram datagram) = 0;
  virtual void wake(Host& host, std::optional<Instant> when) = 0;
};

class Host {
 public:
  Host(Net& net, std::string name, std::shared_ptr<const Identity> identity, UnderlayAddr underlay,
       Cipher cipher, std::uint64_t seed)
      : net_(net),
        random_(seed),
        cipher_(cipher),
        identity_(std::move(identity)),
        name_(std::move(name)),
        underlay_(underlay) {}
  virtual ~Host() = default;
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // An inner packet for a peer, as the inside would bring it.
  virtual void send(const VpnAddr& to, std::string_view text) = 0;
  virtual void receive(const Datagram& datagram) = 0;
  virtual void on_time() = 0;
  // An unclean restart: every session is gone and nobody is told.
  virtual void restart() = 0;
  virtual void set_remotes(const VpnAddr& peer, std::vector<UnderlayAddr> remotes) = 0;
  void move_to(const UnderlayAddr& underlay) { underlay_ = underlay; }

  [[nodiscard]] virtual std::optional<Instant> next_timeout() const = 0;
  [[nodiscard]] virtual std::size_t pending() const = 0;
  // What packets to this peer leave through.
  [[nodiscard]] virtual const Session* session_to(const VpnAddr& peer) const = 0;
  // Everything that decides what this host does next.
  virtual void describe(DigestSink& sink) const = 0;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const UnderlayAddr& underlay() const { return underlay_; }
  [[nodiscard]] VpnAddr overlay() const { return identity_->certificate.overlay_addrs().front(); }
  [[nodiscard]] const std::map<LocalIndex, Session>& sessions() const { return sessions_; }
  [[nodiscard]] int refused(const std::string& reason) const { return count(refused_, reason); }
  [[nodiscard]] int ended(const std::string& result) const { return count(ended_, result); }

  std::vector<std::string> delivered;  // inner packets, as they came out
  std::vector<std::string> missed;     // those that came early for a tunnel that never was

 protected:
  using Counts = std::map<std::string, int, std::less<>>;

  void seal(Session& session, wire::MessageType type, std::uint8_t subtype, ByteView plaintext);
  void describe_sessions(DigestSink& sink) const;
  void count_refused(std::string_view reason) { ++refused_[std::string(reason)]; }
  void count_ended(std::string_view result) { ++ended_[std::string(result)]; }

  Net& net_;
  testing::SeededRandom random_;
  Cipher cipher_;
  std::shared_ptr<const Identity> identity_;
  std::map<LocalIndex, Session> sessions_;

 private:
  static int count(const Counts& counts, const std::string& name) {
    const auto at = counts.find(name);
    return at == counts.end() ? 0 : at->second;
  }

  std::string name_;
  UnderlayAddr underlay_;
  Counts refused_;
  Counts ended_;
};

// Both have a tunnel to the other whose indexes and addresses agree.
[[nodiscard]] bool consistent(const Host& one, const Host& other);
// The two ends of one tunnel.
[[nodiscard]] bool paired(const Session& one, const Session& other);

}  // namespace magnetar::sim
