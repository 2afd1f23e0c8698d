// SPDX-License-Identifier: Apache-2.0
// One gateway's data plane as the daemon builds it, with many sessions and ports of memory.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/worker.h"
#include "tests/bench/bench_port.h"
#include "tests/support/data_plane.h"

namespace magnetar::bench {

class Gateway {
 public:
  static constexpr unsigned kLanes = 3;

  // A worker with all that is its own. The first is alone as long as no other is made to run; the
  // others share the sessions.
  struct Lane {
    Lane(Gateway& gateway, std::uint16_t number, std::unique_ptr<Aead> cipher);
    BenchPort outside;
    BenchPort inside;
    std::unique_ptr<Aead> aead;
    WorkerStats stats;
    Worker worker;
  };

  // Overlay 10.0.0.1/8, underlay 192.0.2.1, port 4242. All sessions have the same raw key both
  // ways, in schedules of their own: so anybody can seal for any of them without touching it.
  // `dual_stack`: each peer, and we, have an IPv6 address besides, fd00::/64.
  Gateway(std::unique_ptr<Aead> aead, std::size_t sessions, bool dual_stack = false);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  [[nodiscard]] Cipher cipher() const { return lanes_[0]->aead->cipher(); }
  [[nodiscard]] std::size_t size() const { return sessions_.size(); }
  [[nodiscard]] const Session& session(std::size_t peer) const { return *sessions_[peer]; }
  [[nodiscard]] LocalIndex index(std::size_t peer) const { return indexes_[peer]; }
  [[nodiscard]] bool knows(LocalIndex index) const { return table_.find(index) != nullptr; }
  [[nodiscard]] static IpAddr own_overlay() { return IpAddr::v4(0x0a000001); }
  [[nodiscard]] static IpAddr overlay(std::size_t peer) {
    return IpAddr::v4(0x0a400000 + static_cast<std::uint32_t>(peer));
  }
  [[nodiscard]] static IpAddr own_overlay6() { return v6(1); }
  [[nodiscard]] static IpAddr overlay6(std::size_t peer) {
    return v6(0x400000 + static_cast<std::uint32_t>(peer));
  }
  [[nodiscard]] static UnderlayAddr own() { return {IpAddr::v4(0xc0000201), 4242}; }
  [[nodiscard]] static UnderlayAddr underlay(std::size_t peer) {
    return {IpAddr::v4(0xc6120000 + static_cast<std::uint32_t>(peer)), 4242};
  }
  // The peer's next counter. Any thread.
  [[nodiscard]] std::uint64_t next_counter(std::size_t peer) {
    return next_counters_[peer].fetch_add(1, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t last_counter(std::size_t peer) const {
    return next_counters_[peer].load(std::memory_order_relaxed) - 1;
  }
  // Sealed under the key that all share, by a lane's cipher.
  void seal_as_peer(AeadJob& job, std::size_t lane);

  // The next one. Not while another is running.
  void add_lane(std::unique_ptr<Aead> aead);
  [[nodiscard]] Lane& lane(std::size_t number) { return *lanes_[number]; }
  void run_once() { lanes_[0]->worker.run_once(); }
  // Frees what was punted, as the control thread would.
  void drain_punted();
  // The law of the counters (dataplane/stats.h).
  [[nodiscard]] bool adds_up() const;
  [[nodiscard]] const WorkerStats& stats() const { return lanes_[0]->stats; }
  [[nodiscard]] BenchPort& outside() { return lanes_[0]->outside; }
  [[nodiscard]] BenchPort& inside() { return lanes_[0]->inside; }

 private:
  [[nodiscard]] static IpAddr v6(std::uint32_t host);
  void add(std::size_t peer, std::uint32_t slots, bool dual_stack);

  Grace grace_{kLanes};
  SessionTable table_;
  RouteTable routes_;
  Facts own_;
  std::atomic<const Facts*> facts_{&own_};
  ControlRings rings_{kLanes, 1024, 64};
  std::vector<std::unique_ptr<Lane>> lanes_;
  AeadKey common_key_;
  std::vector<const Session*> sessions_;
  std::vector<LocalIndex> indexes_;
  std::vector<std::atomic<std::uint64_t>> next_counters_;  // of each peer
};

}  // namespace magnetar::bench
