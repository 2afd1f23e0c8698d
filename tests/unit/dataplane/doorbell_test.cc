// SPDX-License-Identifier: Apache-2.0
#include "dataplane/doorbell.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>
#include <poll.h>

namespace magnetar {
namespace {

bool readable(int fd, int patience_ms) {
  pollfd watched{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&watched, 1, patience_ms) == 1;
}

TEST(Doorbell, RingsOnlyForASleeper) {
  Doorbell bell;
  bell.ring();
  EXPECT_FALSE(readable(bell.fd(), 0)) << "nobody sleeps: no system call";
  bell.announce_sleep();
  EXPECT_FALSE(readable(bell.fd(), 0));
  bell.ring();
  EXPECT_TRUE(readable(bell.fd(), 0));
  bell.end_sleep();
  EXPECT_FALSE(readable(bell.fd(), 0)) << "the next sleep does not end at once";
  bell.ring();
  EXPECT_FALSE(readable(bell.fd(), 0));
}

// Every number that is put there is seen, though the sleeper looks only when it is woken.
TEST(Doorbell, NoneIsMissed) {
  constexpr unsigned kLast = 20'000;
  constexpr int kForever = 10'000;
  Doorbell bell;
  std::atomic<unsigned> there{0};
  std::atomic<unsigned> seen{0};
  std::thread sleeper([&] {
    while (seen < kLast) {
      bell.announce_sleep();
      if (there.load() == seen.load()) {
        ASSERT_TRUE(readable(bell.fd(), kForever));
      }
      bell.end_sleep();
      seen = there.load();
    }
  });
  for (unsigned number = 1; number <= kLast; ++number) {
    there = number;
    bell.ring();
    while (number % 7 == 0 && seen < number) std::this_thread::yield();
  }
  sleeper.join();
  EXPECT_EQ(seen, kLast);
}

}  // namespace
}  // namespace magnetar
