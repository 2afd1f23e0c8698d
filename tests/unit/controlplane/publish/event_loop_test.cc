// SPDX-License-Identifier: Apache-2.0
#include "controlplane/event_loop.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace magnetar {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(EventLoop, RunsWhatIsReadable) {
  EventLoop loop;
  const int fd = eventfd(1, EFD_NONBLOCK);
  int runs = 0;
  loop.watch(fd, [&] {
    std::uint64_t count = 0;
    EXPECT_EQ(read(fd, &count, sizeof(count)), static_cast<ssize_t>(sizeof(count)));
    ++runs;
  });
  loop.wait(std::nullopt);
  EXPECT_EQ(runs, 1);
  loop.poll();
  EXPECT_EQ(runs, 1);
  close(fd);
}

TEST(EventLoop, WakesAtTheDeadlineAndNotBefore) {
  EventLoop loop;
  const Instant until = read_clock().steady + milliseconds(3);
  loop.wait(until);
  EXPECT_GE(read_clock().steady, until);
  loop.wait(Instant{});  // long past: returns at once
}

TEST(EventLoop, ACallRunsOnTheLoopsThread) {
  EventLoop loop;
  std::atomic<bool> done{false};
  std::thread::id ran_on;
  std::thread caller([&] {
    EXPECT_TRUE(loop.call([&] { ran_on = std::this_thread::get_id(); }, hours(1)));
    done = true;
  });
  while (!done) loop.wait(read_clock().steady + milliseconds(1));
  caller.join();
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST(EventLoop, ACallNobodyAnswersIsAbandoned) {
  EventLoop loop;
  bool ran = false;
  EXPECT_FALSE(loop.call([&] { ran = true; }, milliseconds(1)));
  loop.poll();
  EXPECT_FALSE(ran) << "its caller has gone";
}

}  // namespace
}  // namespace magnetar
