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
  // Overlay 10.0.0.1/8, underlay 192.0.2.1, port 4242. All sessions have the same raw key both
  // ways, in schedules of their own: so anybody can seal for any of them without touching it.
  Gateway(std::unique_ptr<Aead> aead, std::size_t sessions);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  [[nodiscard]] Cipher cipher() const { return aead_->cipher(); }
  [[nodiscard]] std::size_t size() const { return sessions_.size(); }
  [[nodiscard]] const Session& session(std::size_t peer) const { return *sessions_[peer]; }
  [[nodiscard]] LocalIndex index(std::size_t peer) const { return indexes_[peer]; }
  [[nodiscard]] bool knows(LocalIndex index) const { return table_.find(index) != nullptr; }
  [[nodiscard]] static IpAddr own_overlay() { return IpAddr::v4(0x0a000001); }
  [[nodiscard]] static IpAddr overlay(std::size_t peer) {
    return IpAddr::v4(0x0a400000 + static_cast<std::uint32_t>(peer));
  }
  [[nodiscard]] static UnderlayAddr own() { return {IpAddr::v4(0xc0000201), 4242}; }
  [[nodiscard]] static UnderlayAddr underlay(std::size_t peer) {
    return {IpAddr::v4(0xc6120000 + static_cast<std::uint32_t>(peer)), 4242};
  }
  // Sealed under the key that all share.
  void seal_as_peer(AeadJob& job);

  void run_once() { worker_.run_once(); }
  // Frees what was punted, as the control thread would.
  void drain_punted();
  // The law of the counters (dataplane/stats.h).
  [[nodiscard]] bool adds_up() const;
  [[nodiscard]] const WorkerStats& stats() const { return stats_; }

  BenchPort outside;
  BenchPort inside;

 private:
  void add(std::size_t peer, std::uint32_t slots);

  Grace grace_{1};
  SessionTable table_;
  RouteTable routes_;
  Facts own_;
  std::atomic<const Facts*> facts_{&own_};
  std::unique_ptr<Aead> aead_;
  ControlRings rings_;
  WorkerStats stats_;
  Worker worker_;
  AeadKey common_key_;
  std::vector<const Session*> sessions_;
  std::vector<LocalIndex> indexes_;
};

}  // namespace magnetar::bench
