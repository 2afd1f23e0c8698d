// SPDX-License-Identifier: Apache-2.0
#include "controlplane/event_loop.h"

#include <array>
#include <condition_variable>
#include <memory>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/base/check.h"

namespace magnetar {

Now read_clock() {
  using std::chrono::duration_cast;
  const auto steady = std::chrono::steady_clock::now().time_since_epoch();
  return {Instant(duration_cast<Duration>(steady)),
          std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now())};
}

// Whoever gives up first, caller or control thread, decides: `state` settles the race.
struct EventLoop::Call {
  enum class State { kWaiting, kRunning, kDone, kAbandoned };
  std::function<void()> work;
  std::mutex mutex;
  std::condition_variable changed;
  State state = State::kWaiting;
};

EventLoop::EventLoop()
    : epoll_fd_(epoll_create1(EPOLL_CLOEXEC)), call_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  MAGNETAR_CHECK(epoll_fd_ >= 0 && call_fd_ >= 0);
  watch(call_fd_, [this] { run_calls(); });
}

EventLoop::~EventLoop() {
  close(call_fd_);
  close(epoll_fd_);
}

void EventLoop::watch(int fd, std::function<void()> on_readable) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  MAGNETAR_CHECK(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0);
  watched_[fd] = std::move(on_readable);
}

bool EventLoop::call(const std::function<void()>& work, Duration patience) {
  auto call = std::make_shared<Call>();
  call->work = work;
  {
    const std::lock_guard lock(mutex_);
    calls_.push_back(call);
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(call_fd_, &one, sizeof(one));
  std::unique_lock lock(call->mutex);
  const bool taken =
      call->changed.wait_for(lock, patience, [&] { return call->state != Call::State::kWaiting; });
  if (!taken) {
    call->state = Call::State::kAbandoned;
    return false;
  }
  // It runs already and refers to our caller's variables: now it must be waited for.
  call->changed.wait(lock, [&] { return call->state == Call::State::kDone; });
  return true;
}

void EventLoop::run_calls() {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = read(call_fd_, &count, sizeof(count));
  std::deque<std::shared_ptr<Call>> due;
  {
    const std::lock_guard lock(mutex_);
    due.swap(calls_);
  }
  for (const auto& call : due) {
    std::unique_lock lock(call->mutex);
    if (call->state == Call::State::kAbandoned) continue;
    call->state = Call::State::kRunning;
    lock.unlock();
    call->work();
    lock.lock();
    call->state = Call::State::kDone;
    call->changed.notify_one();
  }
}

void EventLoop::wait(std::optional<Instant> until) {
  if (!until) return run(-1);
  const Duration left = *until - read_clock().steady;
  if (left <= Duration::zero()) return run(0);
  run(static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count()));
}

void EventLoop::poll() { run(0); }

void EventLoop::run(int timeout_ms) {
  std::array<epoll_event, 16> events;
  const int count = epoll_wait(epoll_fd_, events.data(), events.size(), timeout_ms);
  for (int i = 0; i < count; ++i) watched_.at(events[static_cast<std::size_t>(i)].data.fd)();
}

}  // namespace magnetar
