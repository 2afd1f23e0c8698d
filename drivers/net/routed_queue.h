// SPDX-License-Identifier: Apache-2.0
// A port as inside, as one worker sees it: between frames on a wire and the bare IP packets of the
// pipelines, a router. What is for the overlay networks comes in, with its TTL one less; what comes
// out of tunnels goes to the next hop that the kernel's routes say. Everything else is the
// kernel's.
#pragma once

#include <array>
#include <atomic>
#include <memory>

#include "dataplane/control_ring.h"
#include "dataplane/mbuf_ring.h"
#include "dataplane/packet/facts.h"
#include "dataplane/port.h"
#include "dataplane/stats.h"
#include "dataplane/tables/fib.h"
#include "dataplane/wire/icmp_error.h"
#include "dataplane/wire/inner_packet.h"
#include "dataplane/worker_context.h"

namespace magnetar {

// Outlives the queue.
struct RoutedParts {
  const Fib& fib;
  const std::atomic<const Facts*>& facts;
  ControlRings& rings;
  WorkerStats& stats;
  std::uint16_t worker = 0;
  MacAddr mac{};  // the port's
  std::uint16_t mtu = 1500;
  bool twin = false;  // the kernel has none of the port's frames but those it is given
  // From the control thread, to the worker that receives: frames of the kernel's to send, and
  // packets of the kernel's into tunnels.
  MbufRing* frames = nullptr;
  MbufRing* packets = nullptr;
};

class RoutedQueue final : public PortQueue {
 public:
  RoutedQueue(std::unique_ptr<PortQueue> port, const RoutedParts& parts);
  ~RoutedQueue() override;
  std::uint16_t receive(std::span<rte_mbuf*> into) override;
  std::uint16_t prepare(std::span<rte_mbuf*> packets) override;
  std::uint16_t prepare_own(std::span<rte_mbuf*> packets) override;
  std::uint16_t transmit(std::span<rte_mbuf*> packets) override { return port_->transmit(packets); }
  [[nodiscard]] std::optional<int> readable_fd() const override { return port_->readable_fd(); }
  int arm() override { return port_->arm(); }
  void disarm() override { port_->disarm(); }

 private:
  // What becomes of one packet: it goes on, is dropped, or is the control thread's.
  struct Fate {
    Verdict verdict = Verdict::kForward;
    PuntKind kind = PuntKind::kInsideFrame;  // of kPunted
    bool replaced = false;                   // others went in its place, and are counted
  };
  [[nodiscard]] Fate come_in(rte_mbuf& mbuf, const Facts& facts);
  [[nodiscard]] Fate go_out(rte_mbuf& mbuf, const Facts& facts);
  [[nodiscard]] Fate to_kernel() const;
  [[nodiscard]] Fate send_on(rte_mbuf& mbuf, const Fib::Found& found) const;
  [[nodiscard]] Fate split(rte_mbuf& mbuf, const Fib::Found& found);
  void settle(rte_mbuf* mbuf, Fate fate);
  void answer_from_port(rte_mbuf& mbuf, const Facts& facts);
  void answer_into_tunnel(rte_mbuf& mbuf, wire::IcmpError error, const Facts& facts);
  void send_own(rte_mbuf* frame);
  void send_frames_of_kernel();
  void write_ethernet(rte_mbuf& mbuf, const MacAddr& to, bool v4) const;
  [[nodiscard]] bool may_answer();
  [[nodiscard]] static rte_mbuf* copy_of(rte_mbuf& mbuf);

  std::unique_ptr<PortQueue> port_;
  RoutedParts parts_;
  wire::IcmpLimit limit_;
  std::array<rte_mbuf*, kBurst> answers_{};  // into tunnels: they come in with the next burst
  std::size_t answer_count_ = 0;
};

}  // namespace magnetar
