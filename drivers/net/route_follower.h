// SPDX-License-Identifier: Apache-2.0
// Keeps a Fib as the kernel's routes and neighbours of one interface are, by rtnetlink. Control
// thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "dataplane/base/result.h"
#include "dataplane/tables/fib.h"
#include "drivers/eal.h"

namespace magnetar {

class RouteFollower {
 public:
  // Fills `fib`, which must outlive this object.
  [[nodiscard]] static Result<std::unique_ptr<RouteFollower>, DeviceError> open(
      const std::string& interface, Fib& fib);
  ~RouteFollower();

  // To poll for reading; then call process(), which reads what has come and never blocks.
  [[nodiscard]] int fd() const;
  void process();
  // Once a second or so: the kernel does not see what workers send, so it is asked to look again
  // after neighbours that they use and that it has not heard of for a while.
  void check_neighbours();
  // How often everything was listed anew, since the kernel dropped notifications.
  [[nodiscard]] unsigned lists() const;

 private:
  RouteFollower();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace magnetar
