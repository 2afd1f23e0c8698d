// SPDX-License-Identifier: Apache-2.0
// Inside to outside: receive, route, seal, transmit. One worker's; start reading here.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/packet/session_groups.h"
#include "dataplane/wire/icmp_error.h"
#include "dataplane/worker_context.h"

namespace magnetar {

// One packet between accept and transmit.
struct Outbound {
  rte_mbuf* mbuf;
  std::byte* text;           // the inner packet, sealed in place
  std::uint16_t length;      // of it
  std::uint8_t destination;  // which of the burst's
  std::uint8_t group;        // which of its sessions
};

class InsidePipeline {
 public:
  explicit InsidePipeline(WorkerContext& context)
      : context_(context), exits_(context), control_exits_(context) {}
  // One burst. Returns how many packets came.
  std::size_t run();

 private:
  void accept(std::span<rte_mbuf*> received, const Facts& facts);
  [[nodiscard, gnu::always_inline]] inline Verdict accept_one(rte_mbuf& mbuf, const Facts& facts,
                                                              Outbound& out);
  void route(const Facts& facts);
  [[gnu::noinline]] void no_tunnel(rte_mbuf* mbuf, const RouteKey& destination, const Facts& facts);
  void leave(const Facts& facts, StageClock& clock);
  void number();
  void seal();
  void count_late();
  void emit();
  [[gnu::noinline]] void let_kernel_send(const Outbound& packet, const Remote& remote);

  // What is too big for its tunnel, and what comes behind that in its burst.
  [[nodiscard, gnu::noinline]] static bool is_too_big(const Outbound& packet,
                                                      const SessionHot& session,
                                                      const Facts& facts);
  [[nodiscard, gnu::noinline]] static bool may_split(const Outbound& packet);
  [[gnu::noinline]] void refuse(const Outbound& packet, const SessionHot& session,
                                const Facts& facts);
  [[nodiscard]] bool write_error(rte_mbuf& mbuf, std::size_t mtu, const Facts& facts);
  [[gnu::noinline]] void send_aside(const Facts& facts, StageClock& clock);
  void send_errors();
  [[nodiscard]] std::size_t refill(std::span<const Outbound> from, const Facts& facts);
  [[nodiscard]] bool split(const Outbound& packet, std::size_t mtu);
  [[gnu::noinline]] void clamp_mss(const Facts& facts);

  WorkerContext& context_;
  Exits exits_;
  Exits control_exits_;  // the burst's own are not settled yet, and have room for it alone
  std::array<Outbound, kBurst> burst_;
  std::array<RouteKey, kBurst> destinations_;  // that differ from the one before
  std::array<SessionHot*, kBurst> sessions_;   // one a destination
  SessionGroups groups_;
  std::array<AeadJob, kBurst> jobs_;
  std::array<rte_mbuf*, kBurst> to_outside_;
  std::array<rte_mbuf*, kBurst> errors_;  // to who sent what was too big
  wire::IcmpLimit limit_;
  std::span<const Outbound> waiting_;  // end of `burst_`: the first has to be split
  std::uint32_t bursts_ = 0;
  std::size_t size_ = 0;
  std::size_t destination_count_ = 0;
  std::size_t outside_size_ = 0;
  std::size_t error_count_ = 0;
};

}  // namespace magnetar
