// SPDX-License-Identifier: Apache-2.0
// The control thread's loop: descriptors, a deadline, calls from other threads. The only place in
// controlplane/ that reads the clock.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "dataplane/base/time.h"

namespace magnetar {

// Both clocks, now.
[[nodiscard]] Now read_clock();

class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // `on_readable` runs in wait() whenever `fd` is readable. Control thread.
  void watch(int fd, std::function<void()> on_readable);

  // Any thread: has `work` run on the control thread and waits for it, no longer than `patience`.
  // False: it has not run and will not.
  [[nodiscard]] bool call(const std::function<void()>& work, Duration patience);

  // Sleeps until a descriptor is readable, a call comes or `until` has passed; then runs what is
  // due. Control thread.
  void wait(std::optional<Instant> until);
  // The same without sleeping.
  void poll();

 private:
  struct Call;
  void run(int timeout_ms);
  void run_calls();

  int epoll_fd_;
  int call_fd_;
  std::map<int, std::function<void()>> watched_;
  std::mutex mutex_;
  std::deque<std::shared_ptr<Call>> calls_;
};

}  // namespace magnetar
