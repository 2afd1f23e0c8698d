// SPDX-License-Identifier: Apache-2.0
// Outside to inside: receive, classify, open, deliver, transmit. One worker's; start reading here.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/outside/early_packets.h"
#include "dataplane/packet/session_groups.h"
#include "dataplane/worker_context.h"

namespace magnetar {

// One packet between classify and deliver: a cache line.
struct alignas(64) Inbound {
  rte_mbuf* mbuf;
  std::byte* packet;  // the Nebula packet: header, text, tag
  SessionHot* session;
  std::uint64_t counter;
  std::uint64_t source_key;  // for the roaming check, after the tag has verified
  LocalIndex index;
  std::uint16_t length;  // of the Nebula packet, at least header and tag
  wire::MessageType type;
  std::uint8_t subtype;
};

// What deliver() asks of a packet's session, kept while a train of its packets passes.
struct Sender {
  const SessionHot* session = nullptr;
  const PrefixSet* sources = nullptr;
  std::uint64_t remote_key = 0;

  void turn_to(const SessionHot& next) {
    session = &next;
    sources = &next.session->sources;
    remote_key = next.remote_key.load(std::memory_order_relaxed);
  }
};

class OutsidePipeline {
 public:
  // Packets of a burst whose index names no session, and which the control plane hears of: who
  // sends more of them than this waits for a later burst, or is a flood.
  static constexpr std::size_t kUnknownPerBurst = 4;

  explicit OutsidePipeline(WorkerContext& context)
      : context_(context), exits_(context), early_(context.sessions) {}
  // One burst. Returns how many packets came.
  std::size_t run();
  // Packets wait here for their session to appear, which nothing announces.
  [[nodiscard]] bool waiting() const { return !early_.empty(); }

 private:
  // The common way, in the order in which a burst takes it.
  void process(std::span<rte_mbuf*> packets, StageClock& clock);
  void classify(std::span<rte_mbuf*> received, const Facts& facts);
  [[nodiscard, gnu::always_inline]] static inline bool classify_plain(rte_mbuf& mbuf,
                                                                      const Facts& facts,
                                                                      Inbound& out);
  void find_sessions();
  void prepare();
  void commit();
  void commit(const SessionGroup& group);
  void deliver(const Facts& facts);
  [[nodiscard, gnu::always_inline]] inline Verdict deliver_one(Inbound& packet, const Facts& facts,
                                                               Sender& sender);

  // The ways out of it.
  [[nodiscard, gnu::noinline]] Verdict classify_one(rte_mbuf& mbuf, const Facts& facts,
                                                    Inbound& out);
  [[nodiscard]] Verdict classify_clear(rte_mbuf& mbuf, const wire::Header& header,
                                       const wire::OuterView& outer, ByteView packet);
  [[nodiscard]] bool is_other_session(std::size_t packet) const {  // than of the one before
    return burst_[packet].session != burst_[packet - 1].session;
  }
  [[nodiscard]] bool is_strange(const Inbound& packet) const;
  [[nodiscard, gnu::noinline]] Verdict find_late(Inbound& packet, std::size_t& unknown);
  [[nodiscard]] bool waits(const Inbound& packet);
  [[nodiscard, gnu::noinline]] Verdict unknown_index(const Inbound& packet, std::size_t& seen);
  [[nodiscard, gnu::noinline]] Verdict punt_message(Inbound& packet, ByteView text);
  [[gnu::noinline]] void clamp_mss(const Facts& facts);
  [[gnu::noinline]] void notice_move(const Inbound& packet);
  [[gnu::noinline]] void notice_stranger(const Inbound& packet);

  WorkerContext& context_;
  Exits exits_;
  EarlyPackets early_;
  std::array<Inbound, kBurst> burst_;
  std::array<AeadJob, kBurst> jobs_;
  SessionGroups groups_;
  std::array<Verdict, kBurst> verdicts_;  // of the commit
  std::array<rte_mbuf*, kBurst> to_inside_;
  std::uint32_t bursts_ = 0;
  std::size_t size_ = 0;
  std::size_t inside_size_ = 0;
  bool releasing_ = false;         // these have waited already
  bool stranger_noticed_ = false;  // in this burst
};

}  // namespace magnetar
