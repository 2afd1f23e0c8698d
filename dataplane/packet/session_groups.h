// SPDX-License-Identifier: Apache-2.0
// The packets of one burst by session, so that a session is asked once a burst for counters or for
// its window, however its packets are mixed with others'.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace magnetar {

struct Remote;
struct SessionHot;

// Lies in the session: the number of its group in the burst that asked last. Only a hint, which
// says nothing until the group of that number is seen to be the session's: the burst may have been
// another worker's. Where two workers keep taking it from each other, a burst may have two groups
// of one session; each is whole and in order.
using GroupMark = std::atomic<std::uint8_t>;

// One session's packets, in the order in which they came.
struct SessionGroup {
  SessionHot* session = nullptr;
  std::uint64_t next_counter = 0;  // sealing: of a run that is the group's alone
  const Remote* remote = nullptr;  // sealing: where all of them go
  std::uint32_t bytes = 0;
  std::uint8_t packets = 0;
  std::uint8_t first = 0;  // numbers of packets, chained by SessionGroups::next()
  std::uint8_t last = 0;
};

// Written where sessions change, not at each packet: a burst of one session costs next to nothing.
class SessionGroups {
 public:
  static constexpr std::size_t kMost = 64;  // packets of a burst

  // Before the first packet of a burst.
  void clear() {
    count_ = 0;
    packets_ = 0;
    run_ = 0;
    bytes_ = 0;
    newest_session_ = nullptr;
    next_ = kFollowing;
  }
  // The next packet of the burst, and its session's mark for these groups. Returns its group's
  // number.
  std::uint8_t add(SessionHot* session, GroupMark& mark, std::uint32_t bytes) {
    if (session != newest_session_) turn_to(session, mark);
    ++packets_;
    bytes_ += bytes;
    return newest_;
  }
  // After the last packet: from here on groups are whole.
  void finish() {
    if (count_ > 0) end_run();
  }
  [[nodiscard]] std::span<SessionGroup> groups() { return {groups_.data(), count_}; }
  [[nodiscard]] SessionGroup& operator[](std::uint8_t group) { return groups_[group]; }
  // The packet after `packet` in its group.
  [[nodiscard]] std::uint8_t next(std::uint8_t packet) const { return next_[packet]; }

 private:
  static constexpr std::array<std::uint8_t, kMost> kFollowing = [] {
    std::array<std::uint8_t, kMost> following{};
    for (std::size_t i = 0; i < kMost; ++i) following[i] = static_cast<std::uint8_t>(i + 1);
    return following;
  }();

  // Makes the session's group the newest; the run of packets that ends here goes to its own.
  // Inline: what is in registers stays there.
  [[gnu::always_inline]] void turn_to(SessionHot* session, GroupMark& mark) {
    newest_session_ = session;
    if (count_ > 0) end_run();
    const std::uint8_t known = mark.load(std::memory_order_relaxed);
    // One branch: with many sessions the number is as good as random, and what it names never is.
    const bool found = (known < count_) & (groups_[known].session == session);
    if (!found) return open(session, mark);
    newest_ = known;
    next_[groups_[known].last] = static_cast<std::uint8_t>(packets_);
  }
  void open(SessionHot* session, GroupMark& mark) {
    newest_ = static_cast<std::uint8_t>(count_++);
    mark.store(newest_, std::memory_order_relaxed);
    SessionGroup& group = groups_[newest_];
    group.session = session;
    group.bytes = 0;
    group.packets = 0;
    group.first = static_cast<std::uint8_t>(packets_);
  }
  void end_run() {
    SessionGroup& group = groups_[newest_];
    group.packets = static_cast<std::uint8_t>(group.packets + packets_ - run_);
    group.bytes += bytes_;
    group.last = static_cast<std::uint8_t>(packets_ - 1);
    run_ = packets_;
    bytes_ = 0;
  }

  std::array<SessionGroup, kMost> groups_;
  std::array<std::uint8_t, kMost> next_;
  std::size_t count_ = 0;
  std::size_t packets_ = 0;
  std::size_t run_ = 0;      // its first packet
  std::uint32_t bytes_ = 0;  // of the run
  const SessionHot* newest_session_ = nullptr;
  std::uint8_t newest_ = 0;
};

}  // namespace magnetar
