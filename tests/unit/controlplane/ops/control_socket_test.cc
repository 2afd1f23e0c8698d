// SPDX-License-Identifier: Apache-2.0
#include "controlplane/ops/control_socket.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>

#include "tests/unit/controlplane/ops/temp_folder.h"

namespace magnetar::ops {
namespace {

using nlohmann::json;

constexpr std::size_t kBigAnswer = 8 * 1024 * 1024;

Result<json, std::string> handle(const std::string& command,
                                 const std::vector<std::string>& arguments) {
  if (command == "big") return json(std::string(kBigAnswer, 'x'));
  if (command == "refuse") return fail(std::string("no: \"\n\xff"));
  return json{{"command", command}, {"arguments", arguments}};
}

class TestClient {
 public:
  explicit TestClient(const std::string& path)
      : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const auto address = unix_address(path);
    EXPECT_EQ(::connect(fd_.get(), address->get(), address->size), 0);
  }

  void send(std::string_view text) {
    EXPECT_EQ(::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT),
              static_cast<ssize_t>(text.size()));
  }
  // Reads what is there. True: more may come; false: the server hung up.
  bool read() {
    std::array<char, 65536> chunk;
    while (true) {
      const ssize_t got = ::recv(fd_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
      if (got < 0) return errno == EAGAIN;
      if (got == 0) return false;
      received_.append(chunk.data(), static_cast<std::size_t>(got));
    }
  }
  // The answer, once the server has hung up; none while it has not.
  std::optional<json> answer() {
    if (read()) return std::nullopt;
    EXPECT_TRUE(received_.ends_with('\n'));
    return json::parse(received_);
  }
  [[nodiscard]] bool hung_up_silently() { return !read() && received_.empty(); }
  void hang_up() { fd_ = UniqueFd(); }

 private:
  UniqueFd fd_;
  std::string received_;
};

class ControlSocketTest : public testing::Test {
 protected:
  void SetUp() override {
    auto socket = ControlSocket::listen(path_, handle);
    ASSERT_TRUE(socket.has_value()) << socket.error();
    socket_ = std::move(*socket);
  }
  // As the event loop does: as long as the descriptor is readable and no longer.
  void pump() {
    pollfd wait{.fd = socket_->fd(), .events = POLLIN, .revents = 0};
    while (::poll(&wait, 1, 0) > 0) socket_->process();
  }
  json ask(std::string_view request) {
    TestClient client(path_);
    client.send(request);
    pump();
    const auto answer = client.answer();
    EXPECT_TRUE(answer.has_value());
    return answer.value_or(json());
  }

  test::TempFolder folder_;
  std::string path_ = folder_.file("run/control.sock");
  std::unique_ptr<ControlSocket> socket_;
};

TEST_F(ControlSocketTest, AnswersOneLineAndHangsUp) {
  EXPECT_EQ(ask("{\"command\":\"tunnels\",\"arguments\":[\"10.42.0.1\"]}\n"),
            json::parse(R"({"ok": true, "result": {"command": "tunnels",
                                                   "arguments": ["10.42.0.1"]}})"));
  EXPECT_EQ(ask("{\"command\":\"status\"}\n")["result"]["arguments"], json::array());
  EXPECT_EQ(socket_->clients(), 0U);
}

TEST_F(ControlSocketTest, GivesTheHandlersReasonWhateverIsInIt) {
  EXPECT_EQ(ask("{\"command\":\"refuse\"}\n"),
            (json{{"ok", false}, {"error", "no: \"\n\xef\xbf\xbd"}}));
}

TEST_F(ControlSocketTest, RefusesWhatIsNoRequest) {
  struct Row {
    const char* why;
    std::string line;
  };
  const Row rows[] = {
      {"empty line", ""},
      {"garbage", "GET / HTTP/1.1"},
      {"bytes", std::string("\x00\xff\x16\x03\x01", 5)},
      {"no object", "[]"},
      {"cut short", "{\"command\":\"status\""},
      {"two documents", "{\"command\":\"status\"}{}"},
      {"no command", "{}"},
      {"command is no text", "{\"command\":7}"},
      {"command is null", "{\"command\":null}"},
      {"arguments are no list", "{\"command\":\"status\",\"arguments\":\"x\"}"},
      {"argument is no text", "{\"command\":\"status\",\"arguments\":[\"a\",1]}"},
      {"text that is no UTF-8", "{\"command\":\"\xff\"}"},
      {"deeply nested lists", std::string(60000, '[')},
      {"deeply nested lists, closed", std::string(30000, '[') + std::string(30000, ']')},
      {"deeply nested arguments", "{\"command\":\"x\",\"arguments\":" + std::string(20000, '[') +
                                      std::string(20000, ']') + "}"},
  };
  for (const auto& [why, line] : rows) {
    SCOPED_TRACE(why);
    const json answer = ask(line + "\n");
    EXPECT_EQ(answer["ok"], false);
    EXPECT_TRUE(answer["error"].is_string());
  }
}

TEST_F(ControlSocketTest, WaitsForTheRestOfALine) {
  TestClient client(path_);
  for (const char c : std::string_view("{\"command\":\"status\"}")) {
    client.send({&c, 1});
    pump();
    ASSERT_FALSE(client.answer().has_value());
  }
  client.send("\n");
  pump();
  EXPECT_TRUE(client.answer().has_value());
}

TEST_F(ControlSocketTest, AnswersOnlyTheFirstLine) {
  TestClient client(path_);
  client.send("{\"command\":\"one\"}\n{\"command\":\"two\"}\n");
  pump();
  client.read();
  client.read();  // hung up, with or without a reset for the line that nobody read
  EXPECT_EQ(socket_->clients(), 0U);
}

TEST_F(ControlSocketTest, LimitsTheRequest) {
  const std::string head = "{\"command\":\"";
  const std::string tail = "\"}";
  const auto request = [&](std::size_t size) {
    return head + std::string(size - head.size() - tail.size(), 'c') + tail;
  };
  constexpr std::size_t kMax = ControlSocket::kMaxRequestBytes;
  EXPECT_EQ(ask(request(kMax) + "\n")["ok"], true);
  const json answer = ask(request(kMax + 1) + "\n");
  EXPECT_EQ(answer["ok"], false);
  EXPECT_NE(answer["error"].get<std::string>().find("65536"), std::string::npos);
  EXPECT_EQ(ask(std::string(kMax + 1, 'x'))["ok"], false) << "the line need not end";
}

TEST_F(ControlSocketTest, ForgetsAClientThatHangsUp) {
  struct Row {
    const char* why;
    const char* sent;
  };
  for (const auto& [why, sent] : {Row{"at once", ""}, Row{"inside a line", "{\"comm"},
                                  Row{"after its request", "{\"command\":\"status\"}\n"},
                                  Row{"before a big answer", "{\"command\":\"big\"}\n"}}) {
    SCOPED_TRACE(why);
    TestClient client(path_);
    client.send(sent);
    client.hang_up();
    pump();
    EXPECT_EQ(socket_->clients(), 0U);
  }
}

TEST_F(ControlSocketTest, DoesNotWaitForASlowReader) {
  TestClient slow(path_);
  slow.send("{\"command\":\"big\"}\n");
  pump();  // returns, although nobody reads
  EXPECT_EQ(socket_->clients(), 1U);
  EXPECT_EQ(ask("{\"command\":\"status\"}\n")["ok"], true);
  while (slow.read()) pump();
  EXPECT_EQ(slow.answer().value()["result"].get<std::string>().size(), kBigAnswer);
  EXPECT_EQ(socket_->clients(), 0U);
}

TEST_F(ControlSocketTest, DropsAReaderThatGoesInTheMiddle) {
  TestClient client(path_);
  client.send("{\"command\":\"big\"}\n");
  pump();
  client.read();
  client.hang_up();
  pump();
  EXPECT_EQ(socket_->clients(), 0U);
}

TEST_F(ControlSocketTest, OneTooManyTakesThePlaceOfTheIdlest) {
  std::vector<TestClient> clients;
  for (std::size_t i = 0; i < ControlSocket::kMaxClients; ++i) {
    clients.emplace_back(path_);
    pump();
  }
  clients[0].send("{");  // so the second is the idlest
  pump();
  EXPECT_EQ(ask("{\"command\":\"status\"}\n")["ok"], true);
  EXPECT_TRUE(clients[1].hung_up_silently());
  clients[0].send("\"command\":\"status\"}\n");
  clients[2].send("{\"command\":\"status\"}\n");
  pump();
  EXPECT_TRUE(clients[0].answer().has_value());
  EXPECT_TRUE(clients[2].answer().has_value());
}

TEST_F(ControlSocketTest, CrowdOfSilentClientsLocksNobodyOut) {
  std::vector<TestClient> crowd;
  for (int i = 0; i < 100; ++i) {
    crowd.emplace_back(path_);
    pump();
    ASSERT_LE(socket_->clients(), ControlSocket::kMaxClients);
  }
  EXPECT_EQ(ask("{\"command\":\"status\"}\n")["ok"], true);
}

TEST_F(ControlSocketTest, IsForItsOwnerOnly) {
  struct stat status {};
  ASSERT_EQ(::lstat(path_.c_str(), &status), 0);
  EXPECT_TRUE(S_ISSOCK(status.st_mode));
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
  ASSERT_EQ(::lstat(folder_.file("run").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0755U);
}

TEST_F(ControlSocketTest, LeavesNothingBehind) {
  socket_.reset();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ControlSocketTest, LeavesTheSocketOfItsSuccessorAlone) {
  std::filesystem::remove(path_);
  const auto successor = ControlSocket::listen(path_, handle);
  ASSERT_TRUE(successor.has_value()) << successor.error();
  socket_.reset();
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(ControlSocketTest, DoesNotPushOutAGatewayThatAnswers) {
  const auto second = ControlSocket::listen(path_, handle);
  ASSERT_FALSE(second.has_value());
  EXPECT_NE(second.error().find("another gateway answers on '" + path_ + "'"), std::string::npos);
  pump();  // the question was a client like any other
  EXPECT_EQ(ask("{\"command\":\"status\"}\n")["ok"], true);
}

TEST(ControlSocketListen, ReplacesTheSocketOfADeadProcess) {
  const test::TempFolder folder;
  const std::string path = folder.file("control.sock");
  {
    const UniqueFd dead{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const auto address = unix_address(path);
    ASSERT_EQ(::bind(dead.get(), address->get(), address->size), 0);
    ASSERT_EQ(::listen(dead.get(), 1), 0);
  }
  ASSERT_TRUE(std::filesystem::exists(path));
  const auto socket = ControlSocket::listen(path, handle);
  ASSERT_TRUE(socket.has_value()) << socket.error();
  const TestClient client(path);  // connects
}

TEST(ControlSocketListen, SaysWhatIsInTheWay) {
  const test::TempFolder folder;
  std::ofstream(folder.file("file")) << "precious";
  struct Row {
    const char* why;
    std::string path;
    std::string said;
  };
  const Row rows[] = {
      {"a file that is no socket", folder.file("file"), "is no socket"},
      {"a folder that is a file", folder.file("file") + "/control.sock", "file"},
      {"longer than the kernel takes", folder.file(std::string(200, 'x')), "107 bytes"},
      {"no path", "", "empty"},
  };
  for (const auto& [why, path, said] : rows) {
    SCOPED_TRACE(why);
    const auto socket = ControlSocket::listen(path, handle);
    ASSERT_FALSE(socket.has_value());
    EXPECT_NE(socket.error().find(said), std::string::npos) << socket.error();
  }
  EXPECT_EQ(std::filesystem::file_size(folder.file("file")), 8U);
}

}  // namespace
}  // namespace magnetar::ops
