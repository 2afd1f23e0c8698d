// SPDX-License-Identifier: Apache-2.0
// The packets of one burst by session, so that a session is asked once a burst for counters or for
// its window, however its packets are mixed with others'.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace magnetar {

struct AeadKey;
struct Remote;
struct SessionHot;

// One session's packets, in the order in which they came.
struct SessionGroup {
  SessionHot* session = nullptr;
  std::uint64_t next_counter = 0;  // sealing: of a run that is the group's alone
  // Sealing. Read once, when the counters are taken: the line that they lie in is soon another
  // worker's again.
  const Remote* remote = nullptr;  // where all of them go
  const AeadKey* key = nullptr;
  std::uint64_t header = 0;  // SessionHot::data_header
  std::uint32_t bytes = 0;
  std::uint8_t packets = 0;
  std::uint8_t first = 0;  // numbers of packets, chained by SessionGroups::next()
  std::uint8_t last = 0;
};

class SessionGroups {
 public:
  static constexpr std::size_t kMost = 64;  // packets of a burst

  // Before the first packet of a burst.
  void clear() {
    count_ = 0;
    packets_ = 0;
    newest_session_ = nullptr;
    mixed_ = false;
  }
  // The next packet of the burst. Returns its group's number.
  std::uint8_t add(SessionHot* session, std::uint32_t bytes) {
    const auto packet = static_cast<std::uint8_t>(packets_++);
    // Most bursts are of few sessions, and a packet's is most often that of the packet before.
    if (session != newest_session_) turn_to(session);
    SessionGroup& group = groups_[newest_];
    next_[group.last] = packet;  // a group's first packet: itself, until there is another
    if (group.packets++ == 0) group.first = packet;
    group.last = packet;
    group.bytes += bytes;
    return newest_;
  }
  [[nodiscard]] std::span<SessionGroup> groups() { return {groups_.data(), count_}; }
  [[nodiscard]] SessionGroup& operator[](std::uint8_t group) { return groups_[group]; }
  // The packet after `packet` in its group.
  [[nodiscard]] std::uint8_t next(std::uint8_t packet) const { return next_[packet]; }

 private:
  static constexpr std::size_t kSlots = 2 * kMost;  // open addressing, half full at most
  static constexpr std::uint8_t kEmpty = 0xff;

  // Makes the session's group the newest.
  [[gnu::noinline]] void turn_to(SessionHot* session) {
    newest_session_ = session;
    if (count_ == 0) return open(session);
    if (!mixed_) {
      slots_.fill(kEmpty);
      slots_[slot_of(groups_[0].session)] = 0;
      mixed_ = true;
    }
    std::size_t slot = slot_of(session);
    for (; slots_[slot] != kEmpty; slot = (slot + 1) % kSlots) {
      newest_ = slots_[slot];
      if (groups_[newest_].session == session) return;
    }
    slots_[slot] = static_cast<std::uint8_t>(count_);
    open(session);
  }
  void open(SessionHot* session) {
    newest_ = static_cast<std::uint8_t>(count_++);
    SessionGroup& group = groups_[newest_];
    group.session = session;
    group.bytes = 0;
    group.packets = 0;
    group.last = static_cast<std::uint8_t>(packets_ - 1);
  }
  static std::size_t slot_of(const SessionHot* session) {
    const auto address = reinterpret_cast<std::uintptr_t>(session);
    return (address / 64 * 0x9e3779b97f4a7c15ULL) >> 57U;  // to 7 bits: kSlots
  }

  std::array<SessionGroup, kMost> groups_;
  std::array<std::uint8_t, kMost> next_;
  std::array<std::uint8_t, kSlots> slots_;
  std::size_t count_ = 0;
  std::size_t packets_ = 0;
  const SessionHot* newest_session_ = nullptr;
  std::uint8_t newest_ = 0;
  bool mixed_ = false;  // more than one session: slots_ is in use
};

}  // namespace magnetar
