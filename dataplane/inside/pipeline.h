// SPDX-License-Identifier: Apache-2.0
// Inside to outside: receive, route, seal, transmit. One worker's; start reading here.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/worker_context.h"

namespace magnetar {

// One packet between route and transmit.
struct Outbound {
  rte_mbuf* mbuf;
  const Session* session;
};

class InsidePipeline {
 public:
  explicit InsidePipeline(WorkerContext& context)
      : context_(context), exits_(context), control_exits_(context) {}
  // One burst. Returns how many packets came.
  std::size_t run();

 private:
  void accept(std::span<rte_mbuf*> received, const Facts& facts);
  [[nodiscard]] Verdict accept_one(rte_mbuf& mbuf, const Facts& facts);
  void route(const Facts& facts);
  void no_tunnel(rte_mbuf* mbuf, const IpAddr& destination, const Facts& facts);
  void seal();
  void seal_run(std::size_t begin, std::size_t end);
  void emit(std::size_t mtu);
  void let_kernel_send(rte_mbuf& mbuf, const Remote& remote);
  void emit_run(std::size_t begin, std::size_t end, std::size_t mtu);

  WorkerContext& context_;
  Exits exits_;
  Exits control_exits_;  // the burst's own are not settled yet, and have room for it alone
  std::array<Outbound, kBurst> burst_;
  std::array<std::array<std::byte, 16>, kBurst> destinations_;
  std::array<AeadJob, kBurst> jobs_;
  std::array<rte_mbuf*, kBurst> to_outside_;
  std::size_t size_ = 0;
  std::size_t outside_size_ = 0;
};

}  // namespace magnetar
