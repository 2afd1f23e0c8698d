// SPDX-License-Identifier: Apache-2.0
// The control plane as one pure object: packets and time in, actions out. No I/O, no clock, no
// thread of its own; runs in the daemon, the unit tests and the simulator. Control thread only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "controlplane/action.h"
#include "controlplane/digest.h"
#include "controlplane/identity.h"
#include "controlplane/traffic.h"
#include "dataplane/base/random.h"
#include "dataplane/wire/header.h"

namespace magnetar {

struct ControlSettings {
  Cipher cipher = Cipher::kAes256Gcm;
  std::uint32_t max_tunnels = 65536;  // slots of the session table: a power of two
  Duration try_interval = std::chrono::milliseconds(100);
  std::uint32_t retries = 10;
  std::uint32_t queued_packets = 100;
  std::uint32_t max_handshakes_per_second = 0;  // as responder; 0: no limit
  Duration alive_interval = std::chrono::seconds(5);
  Duration pending_deletion_interval = std::chrono::seconds(10);
  bool disconnect_invalid = true;  // close tunnels whose certificate is no longer good
  // What paths are probed up to, at most what the outside port carries; none: they are not probed.
  std::optional<std::uint16_t> probe_path_mtu;
  std::map<VpnAddr, std::vector<UnderlayAddr>> static_remotes;
  std::vector<UnderlayAddr> own_addrs;  // never a peer's
};

// One tunnel or one pending handshake, for the operator.
struct TunnelView {
  std::vector<VpnAddr> overlay_addrs;
  std::string name;
  std::vector<std::string> groups;
  std::optional<UnderlayAddr> remote;
  LocalIndex local_index;
  RemoteIndex remote_index;
  bool up = false;  // else pending
  bool primary = false;
  bool initiator = false;
  std::optional<pki::Fingerprint> cert_fingerprint;
  std::optional<WallTime> cert_expires;
  std::optional<int> cert_version;        // of the peer's certificate
  std::optional<int> own_cert_version;    // of the one that it was shown
  std::optional<std::uint16_t> path_mtu;  // of outer packets; none: not probed
  Instant since;                          // established, or handshake started
};

class ControlPlane {
 public:
  // `random` and `traffic` must outlive this object. Without a source of traffic every tunnel
  // counts as in use.
  ControlPlane(std::shared_ptr<const Identity> identity, ControlSettings settings,
               RandomSource& random, TrafficSource* traffic = nullptr);
  ~ControlPlane();
  ControlPlane(const ControlPlane&) = delete;
  ControlPlane& operator=(const ControlPlane&) = delete;

  // A handshake packet, header included and already parsed (wire.md 3.3).
  void on_handshake(const UnderlayAddr& from, const wire::Header& header, ByteView packet, Now now,
                    Actions& out);
  // An unauthenticated recv_error; header.index is the *remote* index (handshake.md section 10).
  void on_recv_error(const UnderlayAddr& from, const wire::Header& header, Now now, Actions& out);
  // An encrypted-type packet whose index names no session.
  void on_unknown_index(const UnderlayAddr& from, const wire::Header& header, Now now,
                        Actions& out);
  // An encrypted-type packet under a live session's index that did not authenticate: somebody who
  // is not the tunnel's peer may believe in a tunnel with us (handshake.md 7.2 and 17).
  void on_forged(LocalIndex session, const UnderlayAddr& from, const wire::Header& header, Now now,
                 Actions& out);
  // An authenticated message other than an inner packet, decrypted.
  void on_session_message(LocalIndex session, const wire::Header& header, ByteView plaintext,
                          Now now, Actions& out);
  // An inner packet to an overlay address that has no session.
  void on_packet_without_tunnel(VpnAddr to, QueuedPacket packet, Now now, Actions& out);
  // An authenticated packet of this session came from an address other than its remote.
  void on_moved(LocalIndex session, const UnderlayAddr& from, Now now, Actions& out);
  // Runs whatever is due. A call that is early or late is harmless.
  void on_time(Now now, Actions& out);
  // When on_time wants to be called next; none: nothing is pending.
  [[nodiscard]] std::optional<Instant> next_timeout() const;

  // The operator's `close`: every tunnel to this address, the peer is told. False: there is none.
  bool close(VpnAddr peer, Now now, Actions& out);
  // Shutdown: every tunnel, every peer is told.
  void close_all(Now now, Actions& out);

  // Reload: new handshakes use it at once.
  void replace_identity(std::shared_ptr<const Identity> identity);
  void replace_static_remotes(std::map<VpnAddr, std::vector<UnderlayAddr>> remotes);

  [[nodiscard]] std::vector<TunnelView> tunnels() const;
  [[nodiscard]] std::size_t tunnels_up() const;
  [[nodiscard]] std::size_t tunnels_pending() const;

  // For tests that search over states: an independent copy, and what tells two states apart
  // (everything but the budgets of rate limits).
  [[nodiscard]] std::unique_ptr<ControlPlane> clone(RandomSource& random,
                                                    TrafficSource* traffic = nullptr) const;
  void describe_state(Now now, DigestSink& sink) const;

 private:
  struct Impl;
  explicit ControlPlane(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace magnetar
