// SPDX-License-Identifier: Apache-2.0
// Something that answers on a socket while the test waits in a blocking call.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "controlplane/ops/control_socket.h"
#include "controlplane/ops/unix_socket.h"

namespace magnetar::test {

// Runs the real control socket on a thread of its own.
class FakeGateway {
 public:
  FakeGateway(const std::string& path, ops::ControlSocket::Handler handler)
      : stop_(::eventfd(0, EFD_CLOEXEC)) {
    auto socket = ops::ControlSocket::listen(path, std::move(handler));
    EXPECT_TRUE(socket.has_value());
    thread_ = std::thread([this, socket = std::move(*socket)] {
      pollfd waits[] = {{.fd = socket->fd(), .events = POLLIN, .revents = 0},
                        {.fd = stop_.get(), .events = POLLIN, .revents = 0}};
      while (::poll(waits, 2, -1) > 0 && waits[1].revents == 0) socket->process();
    });
  }
  ~FakeGateway() {
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
  }

 private:
  ops::UniqueFd stop_;
  std::thread thread_;
};

// Takes one client, does as it is told with its connection, and hangs up.
class FakeServer {
 public:
  FakeServer(const std::string& path, std::function<void(int fd)> serve)
      : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const auto address = ops::unix_address(path);
    EXPECT_EQ(::bind(listener_.get(), address->get(), address->size), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    thread_ = std::thread([this, serve = std::move(serve)] {
      const ops::UniqueFd client{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
      serve(client.get());
    });
  }
  ~FakeServer() { thread_.join(); }

 private:
  ops::UniqueFd listener_;
  std::thread thread_;
};

}  // namespace magnetar::test
