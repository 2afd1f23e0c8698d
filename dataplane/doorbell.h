// SPDX-License-Identifier: Apache-2.0
// How a thread that sleeps learns that another has put something where it will look.
#pragma once

#include <atomic>

namespace magnetar {

class Doorbell {
 public:
  Doorbell();
  ~Doorbell();
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;

  // Any thread, after it has put something there. A system call only when somebody sleeps.
  void ring() {
    // Pairs with announce_sleep(): of the two exchanges one comes second and sees what the other
    // side did before its own: either we see that it sleeps, or it sees what we put there.
    if (asleep_.exchange(false)) wake();
  }

  // The sleeper, in this order: announce, look once more, wait for fd() to be readable (or do not),
  // end.
  void announce_sleep() { asleep_.exchange(true); }
  [[nodiscard]] int fd() const { return fd_; }
  void end_sleep();

 private:
  void wake() const;

  std::atomic<bool> asleep_{false};
  int fd_;
};

}  // namespace magnetar
