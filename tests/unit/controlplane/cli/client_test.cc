// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/client.h"

#include <array>
#include <chrono>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "tests/unit/controlplane/cli/fake_gateway.h"
#include "tests/unit/controlplane/ops/temp_folder.h"

namespace magnetar::cli {
namespace {

using nlohmann::json;

class ClientTest : public testing::Test {
 protected:
  test::TempFolder folder_;
  std::string path_ = folder_.file("control.sock");
};

Result<json, std::string> echo(const std::string& command,
                               const std::vector<std::string>& arguments) {
  if (command == "refuse") return fail(std::string("not today"));
  if (command == "big") return json(std::string(4 * 1024 * 1024, 'x'));
  return json{{"command", command}, {"arguments", arguments}};
}

TEST_F(ClientTest, BringsTheResultOrTheGatewaysReason) {
  const test::FakeGateway gateway(path_, echo);
  const auto result = call(path_, "tunnels", {"10.42.0.1", "\xff"});
  ASSERT_TRUE(result.has_value()) << result.error().text;
  EXPECT_EQ(*result, (json{{"command", "tunnels"}, {"arguments", {"10.42.0.1", "\xef\xbf\xbd"}}}));
  const auto big = call(path_, "big", {});
  ASSERT_TRUE(big.has_value());
  EXPECT_EQ(big->get<std::string>().size(), 4U * 1024 * 1024);
  const auto refused = call(path_, "refuse", {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, CallError::Kind::kRefused);
  EXPECT_EQ(refused.error().text, "not today");
}

TEST_F(ClientTest, SaysWhichSocketNobodyAnswersOn) {
  std::ofstream(folder_.file("file")) << "x";
  for (const std::string& path :
       {folder_.file("nothing"), folder_.file("file"), std::string(200, 'x'), std::string()}) {
    SCOPED_TRACE(path);
    const auto result = call(path, "status", {});
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().kind, CallError::Kind::kNoGateway);
    EXPECT_NE(result.error().text.find("'" + path + "'"), std::string::npos) << result.error().text;
  }
}

TEST_F(ClientTest, TakesNoOtherServersWord) {
  struct Row {
    const char* why;
    std::string answer;
    CallError::Kind kind;
    std::string said;
  };
  constexpr auto kNoGateway = CallError::Kind::kNoGateway;
  const Row rows[] = {
      {"hangs up", "", kNoGateway, "hung up"},
      {"hangs up inside the line", "{\"ok\":true", kNoGateway, "hung up"},
      {"speaks something else", "220 smtp ready\n", kNoGateway, "no magnetard"},
      {"no verdict", "{}\n", kNoGateway, "no magnetard"},
      {"verdict is no truth value", "{\"ok\":1}\n", kNoGateway, "no magnetard"},
      {"no reason", "{\"ok\":false}\n", CallError::Kind::kRefused, "no reason"},
  };
  for (const auto& [why, answer, kind, said] : rows) {
    SCOPED_TRACE(why);
    const test::TempFolder folder;
    const test::FakeServer server(folder.file("s"), [&text = answer](int fd) {
      std::array<char, 4096> request;
      EXPECT_GT(::recv(fd, request.data(), request.size(), 0), 0);
      EXPECT_EQ(::send(fd, text.data(), text.size(), MSG_NOSIGNAL),
                static_cast<ssize_t>(text.size()));
    });
    const auto result = call(folder.file("s"), "status", {});
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().kind, kind);
    EXPECT_NE(result.error().text.find(said), std::string::npos) << result.error().text;
  }
}

TEST_F(ClientTest, LosesPatience) {
  const test::FakeServer server(path_, [](int fd) {
    std::array<char, 4096> request;
    while (::recv(fd, request.data(), request.size(), 0) > 0) {
    }  // until the client gives up
  });
  const auto result = call(path_, "status", {}, std::chrono::milliseconds(1));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().kind, CallError::Kind::kNoGateway);
  EXPECT_NE(result.error().text.find("in time"), std::string::npos) << result.error().text;
}

}  // namespace
}  // namespace magnetar::cli
