// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/command_line.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "controlplane/ops/json.h"
#include "tests/unit/controlplane/cli/fake_gateway.h"
#include "tests/unit/controlplane/ops/sample_snapshot.h"
#include "tests/unit/controlplane/ops/temp_folder.h"

namespace magnetar::cli {
namespace {

using nlohmann::json;

struct Outcome {
  int status;
  std::string out;
  std::string error;
};

Outcome run(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "magnetar");
  std::vector<const char*> argv;
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int status = run_command_line(static_cast<int>(argv.size()), argv.data());
  return {status, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

Result<json, std::string> gateway(const std::string& command,
                                  const std::vector<std::string>& arguments) {
  const ops::Snapshot snapshot = test::sample_snapshot();
  const WallTime now{std::chrono::seconds(1790000000)};
  if (command == "status") return ops::status_json(snapshot, now);
  if (command == "drops") return ops::drops_json(snapshot);
  if (command == "runtime") return ops::runtime_json(snapshot);
  if (command == "reload")
    return fail(std::string("gw.toml:3:1: error: a\ngw.toml:4:1: error: b\x1b"));
  if (command == "close") return ops::close_json(arguments.at(0));
  return ops::tunnels_json(snapshot,
                           arguments.empty() ? std::nullopt : std::optional(arguments.front()));
}

class CommandLineTest : public testing::Test {
 protected:
  Outcome ask(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--socket", path_});
    return run(std::move(arguments));
  }

  test::TempFolder folder_;
  std::string path_ = folder_.file("control.sock");
  test::FakeGateway gateway_{path_, gateway};
};

TEST_F(CommandLineTest, PrintsForPeople) {
  struct Row {
    std::vector<std::string> arguments;
    std::string begins;
  };
  const Row rows[] = {
      {{"status"}, "magnetar 0.1.0, up 3h12m"},
      {{"tunnels"}, "ADDRESS "},
      {{"tunnels", "10.42.0.7"}, "address        10.42.0.7\n"},
      {{"tunnels", "10.42.0.9"}, "no tunnel to this address\n"},
      {{"drops"}, "REASON "},
      {{"runtime"}, "worker 0 on core 1"},
      {{"close", "10.42.0.7"}, "closed the tunnel to 10.42.0.7\n"},
  };
  for (const auto& [arguments, begins] : rows) {
    SCOPED_TRACE(arguments[0]);
    const Outcome outcome = ask(arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.error;
    EXPECT_TRUE(outcome.out.starts_with(begins)) << outcome.out;
    EXPECT_EQ(outcome.error, "");
  }
  EXPECT_EQ(ask({"drops"}).out.find("replayed"), std::string::npos);
  EXPECT_NE(ask({"drops", "--all"}).out.find("replayed"), std::string::npos);
}

TEST_F(CommandLineTest, JsonIsOneDocumentWhereverTheFlagStands) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--json", "tunnels", "10.42.0.7"},
        std::vector<std::string>{"tunnels", "10.42.0.7", "--json"}}) {
    const Outcome outcome = ask(arguments);
    EXPECT_EQ(outcome.status, 0);
    const json document = json::parse(outcome.out);  // refuses anything after the document
    ASSERT_EQ(document.size(), 1U);
    EXPECT_EQ(document[0]["name"], "laptop");
  }
  EXPECT_EQ(json::parse(ask({"--json", "drops"}).out).size(), 3U) << "zeroes included";
}

TEST_F(CommandLineTest, GivesEachReasonOfTheGatewayAndExitsWithOne) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"reload"}, std::vector<std::string>{"--json", "reload"}}) {
    const Outcome outcome = ask(arguments);
    EXPECT_EQ(outcome.status, 1);
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(outcome.error,
              "magnetar: gw.toml:3:1: error: a\nmagnetar: gw.toml:4:1: error: b\\x1b\n");
  }
}

TEST(CommandLine, ExitsWithFourWhenNobodyAnswers) {
  const Outcome outcome = run({"--socket", "/nonexistent/control.sock", "status"});
  EXPECT_EQ(outcome.status, 4);
  EXPECT_EQ(outcome.out, "");
  EXPECT_NE(outcome.error.find("'/nonexistent/control.sock'"), std::string::npos);
  EXPECT_NE(outcome.error.find("is magnetard running"), std::string::npos);
}

TEST(CommandLine, ExitsWithTwoOnWrongUsage) {
  struct Row {
    const char* why;
    std::vector<std::string> arguments;
  };
  const Row rows[] = {
      {"nothing asked", {}},
      {"unknown command", {"frobnicate"}},
      {"unknown option", {"status", "--frobnicate"}},
      {"close without whom", {"close"}},
      {"one argument too many", {"tunnels", "10.42.0.1", "10.42.0.2"}},
      {"two commands", {"status", "drops"}},
      {"option without its value", {"--socket"}},
  };
  for (const auto& [why, arguments] : rows) {
    SCOPED_TRACE(why);
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.status, 2);
    EXPECT_EQ(outcome.out, "");
    EXPECT_NE(outcome.error.find("Usage: magnetar"), std::string::npos) << outcome.error;
  }
}

TEST(CommandLine, HandsCertOverWithItsOwnKindOfFlags) {
  struct Row {
    const char* why;
    std::vector<std::string> arguments;
    int status;
    std::string says;
  };
  const Row rows[] = {
      {"its own usage", {"cert"}, 2, "cert needs a command"},
      {"long flags with one dash",
       {"cert", "print", "-path", "/nonexistent"},
       1,
       "cannot read '/nonexistent'"},
      {"behind the common options",
       {"--json", "--socket", "x", "cert", "print"},
       2,
       "-path is required"},
      {"the same, attached", {"--socket=x", "cert", "print"}, 2, "-path is required"},
      {"the name of a socket is no command", {"--socket", "cert"}, 2, "Usage: magnetar ["},
      {"another command's argument", {"close", "cert", "x"}, 2, "Usage: magnetar close"},
  };
  for (const auto& [why, arguments, status, says] : rows) {
    SCOPED_TRACE(why);
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.status, status);
    EXPECT_EQ(outcome.out, "");
    EXPECT_NE(outcome.error.find(says), std::string::npos) << outcome.error;
  }
}

TEST(CommandLine, PrintsHelpAndVersion) {
  const Outcome version = run({"--version"});
  EXPECT_EQ(version.status, 0);
  EXPECT_EQ(version.out, "magnetar " MAGNETAR_VERSION "\n");
  const Outcome help = run({"--help"});
  EXPECT_EQ(help.status, 0);
  for (const char* command : {"status", "tunnels", "drops", "runtime", "reload", "close", "cert"})
    EXPECT_NE(help.out.find(command), std::string::npos);
}

}  // namespace
}  // namespace magnetar::cli
