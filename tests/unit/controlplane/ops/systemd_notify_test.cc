// SPDX-License-Identifier: Apache-2.0
#include "controlplane/ops/systemd_notify.h"

#include <array>
#include <chrono>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "controlplane/ops/unix_socket.h"
#include "tests/unit/controlplane/ops/temp_folder.h"

namespace magnetar::ops {
namespace {

// Listens where the service manager would, and names itself in NOTIFY_SOCKET.
class Manager {
 public:
  explicit Manager(const std::string& name)
      : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    const auto address = unix_address(name, true);
    EXPECT_EQ(::bind(fd_.get(), address->get(), address->size), 0);
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  ~Manager() { ::unsetenv("NOTIFY_SOCKET"); }

  // What was told, or "" when nothing was.
  std::string told() {
    std::array<char, 256> text{};
    const ssize_t got = ::recv(fd_.get(), text.data(), text.size(), 0);
    return got < 0 ? std::string() : std::string(text.data(), static_cast<std::size_t>(got));
  }

 private:
  UniqueFd fd_;
};

void expect_all_messages(Manager& manager) {
  notify_ready();
  EXPECT_EQ(manager.told(), "READY=1");
  notify_stopping();
  EXPECT_EQ(manager.told(), "STOPPING=1");
  notify_reloading(Instant(std::chrono::milliseconds(1500)));
  EXPECT_EQ(manager.told(), "RELOADING=1\nMONOTONIC_USEC=1500000");
  notify_status("2 tunnels\nREADY=1");
  EXPECT_EQ(manager.told(), "STATUS=2 tunnels\\nREADY=1");  // one line, whatever is in it
}

TEST(SystemdNotify, TellsASocketInTheFileSystem) {
  const test::TempFolder folder;
  Manager manager(folder.file("notify"));
  expect_all_messages(manager);
}

TEST(SystemdNotify, TellsAnAbstractSocket) {
  Manager manager("@magnetar-test-" + std::to_string(::getpid()));
  expect_all_messages(manager);
}

TEST(SystemdNotify, SaysNothingWithoutAManager) {
  ::unsetenv("NOTIFY_SOCKET");
  EXPECT_FALSE(notify("READY=1"));
  for (const char* path : {"", "relative", "vsock:2:1234", "/nonexistent/notify"}) {
    SCOPED_TRACE(path);
    ::setenv("NOTIFY_SOCKET", path, 1);
    EXPECT_FALSE(notify("READY=1"));
  }
  ::unsetenv("NOTIFY_SOCKET");
}

TEST(SystemdNotify, DoesNotWaitForAManagerThatDoesNotRead) {
  const test::TempFolder folder;
  const Manager manager(folder.file("notify"));
  bool accepted = true;
  for (int i = 0; i < 100000 && accepted; ++i) accepted = notify("STATUS=x");
  EXPECT_FALSE(accepted);  // and not: blocked for ever
}

}  // namespace
}  // namespace magnetar::ops
