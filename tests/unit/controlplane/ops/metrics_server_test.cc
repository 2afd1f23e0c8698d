// SPDX-License-Identifier: Apache-2.0
#include "controlplane/ops/metrics_server.h"

#include <array>
#include <atomic>
#include <string>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "controlplane/ops/unix_socket.h"
#include "tests/unit/controlplane/ops/sample_snapshot.h"

namespace magnetar::ops {
namespace {

constexpr std::uint32_t kLoopback = 0x7f000001;

// The whole answer to a GET of `path`.
std::string get(std::uint16_t port, const std::string& path) {
  const UniqueFd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(kLoopback);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const std::string request = "GET " + path + " HTTP/1.0\r\n\r\n";
  EXPECT_EQ(::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  std::string answer;
  std::array<char, 4096> chunk;
  while (true) {
    const ssize_t got = ::recv(fd.get(), chunk.data(), chunk.size(), 0);
    if (got <= 0) return answer;
    answer.append(chunk.data(), static_cast<std::size_t>(got));
  }
}

UnderlayAddr any_port() { return {IpAddr::v4(kLoopback), 0}; }

TEST(MetricsServer, ServesTheSnapshotOfTheMoment) {
  std::atomic<unsigned> calls{0};
  const auto server = MetricsServer::start(any_port(), [&]() -> std::optional<Snapshot> {
    Snapshot snapshot = test::sample_snapshot();
    snapshot.injected = 100 + ++calls;
    return snapshot;
  });
  ASSERT_TRUE(server.has_value()) << server.error();
  const std::uint16_t port = (*server)->port();
  ASSERT_NE(port, 0);
  const std::string first = get(port, "/metrics");
  EXPECT_TRUE(first.starts_with("HTTP/1.1 200 OK\r\n")) << first.substr(0, 100);
  EXPECT_NE(first.find("\nmagnetar_injected_packets_total 101\n"), std::string::npos);
  EXPECT_NE(get(port, "/metrics").find("\nmagnetar_injected_packets_total 102\n"),
            std::string::npos);
}

TEST(MetricsServer, AnswersWithoutASnapshot) {
  const auto server = MetricsServer::start(any_port(), [] { return std::nullopt; });
  ASSERT_TRUE(server.has_value()) << server.error();
  const std::string answer = get((*server)->port(), "/metrics");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(answer.find("magnetar_"), std::string::npos);
}

TEST(MetricsServer, ServesNothingElse) {
  const auto server = MetricsServer::start(any_port(), [] { return std::nullopt; });
  ASSERT_TRUE(server.has_value()) << server.error();
  for (const char* path : {"/", "/etc/passwd", "/../../etc/passwd"}) {
    SCOPED_TRACE(path);
    const std::string answer = get((*server)->port(), path);
    EXPECT_EQ(answer.substr(answer.find(' ') + 1, 2), "40") << answer;  // 400 or 404
  }
}

TEST(MetricsServer, SaysWhichAddressIsTaken) {
  const auto first = MetricsServer::start(any_port(), [] { return std::nullopt; });
  ASSERT_TRUE(first.has_value()) << first.error();
  const UnderlayAddr taken{IpAddr::v4(kLoopback), (*first)->port()};
  const auto second = MetricsServer::start(taken, [] { return std::nullopt; });
  ASSERT_FALSE(second.has_value());
  EXPECT_NE(second.error().find(taken.to_string()), std::string::npos) << second.error();
}

TEST(MetricsServer, RefusesAnAddressThatIsNotOurs) {
  const auto server =
      MetricsServer::start({IpAddr::v4(0xc0000201), 9469}, [] { return std::nullopt; });
  EXPECT_FALSE(server.has_value());
}

}  // namespace
}  // namespace magnetar::ops
