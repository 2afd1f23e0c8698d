// SPDX-License-Identifier: Apache-2.0
// Outside to inside: receive, classify, open, deliver, transmit. One worker's; start reading here.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/outside/early_packets.h"
#include "dataplane/worker_context.h"

namespace magnetar {

// One packet between classify and deliver.
struct Inbound {
  rte_mbuf* mbuf;
  const Session* session;
  std::byte* packet;  // the Nebula packet: header, text, tag
  std::uint64_t counter;
  wire::OuterView outer;  // for the roaming check, after the tag has verified
  std::uint16_t length;   // of the Nebula packet, at least header and tag
  wire::MessageType type;
  std::uint8_t subtype;
};

class OutsidePipeline {
 public:
  explicit OutsidePipeline(WorkerContext& context)
      : context_(context), exits_(context), early_(context.sessions) {}
  // One burst. Returns how many packets came.
  std::size_t run();

 private:
  void process(std::span<rte_mbuf*> packets, StageClock& clock);
  void classify(std::span<rte_mbuf*> received, const Facts& facts);
  [[nodiscard]] Verdict classify_one(rte_mbuf& mbuf, const Facts& facts, Inbound& out);
  [[nodiscard]] bool is_early(rte_mbuf& mbuf, LocalIndex index, Inbound& out);
  [[nodiscard]] Verdict classify_clear(rte_mbuf& mbuf, const wire::Header& header,
                                       const wire::OuterView& outer, ByteView packet);
  void open();
  void drop_forged();
  void commit();
  void deliver(const Facts& facts);
  [[nodiscard]] Verdict deliver_one(Inbound& packet, const Facts& facts);
  void notice_move(const Inbound& packet);
  void notice_stranger(const Inbound& packet);

  WorkerContext& context_;
  Exits exits_;
  EarlyPackets early_;
  std::array<Inbound, kBurst> burst_;
  std::array<AeadJob, kBurst> jobs_;
  std::array<rte_mbuf*, kBurst> to_inside_;
  std::size_t size_ = 0;
  std::size_t inside_size_ = 0;
  bool releasing_ = false;         // these have waited already
  bool stranger_noticed_ = false;  // in this burst
};

}  // namespace magnetar
