// SPDX-License-Identifier: Apache-2.0
// One gateway's data plane over memory ports: what the daemon wires up, without the daemon.
#pragma once

#include <memory>

#include "dataplane/tables/grace.h"
#include "dataplane/worker.h"
#include "tests/support/eal.h"
#include "tests/support/memory_port.h"

namespace magnetar::testing {

struct PeerSpec {
  LocalIndex local{0x12340001};
  RemoteIndex remote{0x56780002};
  TransportKey send_key;
  TransportKey receive_key;
  VpnAddr overlay{IpAddr::v4(0x0a2a0002)};  // 10.42.0.2
  std::vector<Prefix> unsafe_networks;
  UnderlayAddr addr{IpAddr::v4(0xc0000202), 4242};  // 192.0.2.2
};

// A key whose bytes all are `fill`.
[[nodiscard]] TransportKey key_of(std::uint8_t fill);

class DataPlane {
 public:
  // Overlay 10.42.0.1/16 and fd42::1/64, underlay 192.0.2.1 and 2001:db8::1, port 4242.
  explicit DataPlane(Cipher cipher, IpAddr overlay = IpAddr::v4(0x0a2a0001),
                     UnderlayAddr underlay = {IpAddr::v4(0xc0000201), 4242}, unsigned workers = 1);
  ~DataPlane();

  // Publishes a session and routes the peer's address to it.
  const Session& add_peer(const PeerSpec& spec);
  [[nodiscard]] std::uint64_t drops(Verdict why) const {
    return stats.drops[static_cast<std::size_t>(why)].get();
  }
  [[nodiscard]] std::uint64_t all_drops() const;
  [[nodiscard]] std::uint64_t all_punted() const;
  // The law of the counters (dataplane/stats.h).
  [[nodiscard]] bool adds_up() const;
  // What the control thread would get, freed after a look.
  struct Punted {
    PuntMeta meta;
    Bytes bytes;
  };
  std::vector<Punted> take_punted();
  void run_until_idle() {
    while (worker.run_once() > 0) {
    }
  }

  UnderlayAddr own_addr;  // IPv4
  Pool pool;
  MemoryPort outside;
  MemoryPort inside;
  Grace grace;
  SessionTable sessions;
  RouteTable routes;
  std::unique_ptr<const Facts> own_facts;
  std::atomic<const Facts*> facts;
  std::unique_ptr<Aead> aead;
  ControlRings rings;
  WorkerStats stats;
  Worker worker;
};

// A session as the control plane would publish it, with a reachable remote.
[[nodiscard]] std::unique_ptr<Session> make_session(const PeerSpec& spec, Aead& aead,
                                                    const UnderlayAddr& own);

}  // namespace magnetar::testing
