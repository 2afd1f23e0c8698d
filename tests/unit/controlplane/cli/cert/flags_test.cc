// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/cert/flags.h"

#include <array>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace magnetar::cli::cert {
namespace {

constexpr std::array kRules{
    FlagRule{"name", "NAME", "", "a name"},
    FlagRule{"out", "FILE", "ca.crt", "a file"},
    FlagRule{"json", "", "false", "a switch"},
};

TEST(CertFlags, TakesEveryFormThatNebulaCertTakes) {
  struct Row {
    const char* why;
    std::vector<std::string> arguments;
    std::string name;
    std::string out;
    bool json;
  };
  const Row rows[] = {
      {"nothing: what the rules say", {}, "", "ca.crt", false},
      {"one dash", {"-name", "x"}, "x", "ca.crt", false},
      {"two dashes", {"--name", "x"}, "x", "ca.crt", false},
      {"attached", {"-name=x"}, "x", "ca.crt", false},
      {"attached, two dashes, with another = in it", {"--name=x=y"}, "x=y", "ca.crt", false},
      {"attached and empty", {"-out="}, "", "", false},
      {"a value that looks like a flag is a value", {"-name", "-json"}, "-json", "ca.crt", false},
      {"a value that is one dash", {"-out", "-"}, "", "-", false},
      {"an empty value", {"-out", "", "-json"}, "", "", true},
      {"a switch", {"-json"}, "", "ca.crt", true},
      {"a switch takes nothing after it", {"-json", "-name", "x"}, "x", "ca.crt", true},
      {"a switch turned off", {"-json", "-json=false"}, "", "ca.crt", false},
      {"a switch turned on in Go's way", {"--json=T"}, "", "ca.crt", true},
      {"twice: the last counts", {"-name", "x", "-name", "y"}, "y", "ca.crt", false},
  };
  for (const auto& [why, arguments, name, out, json] : rows) {
    SCOPED_TRACE(why);
    const auto flags = Flags::parse(kRules, arguments);
    ASSERT_TRUE(flags) << flags.error().text;
    EXPECT_EQ((*flags)["name"], name);
    EXPECT_EQ((*flags)["out"], out);
    EXPECT_EQ(flags->is_on("json"), json);
    EXPECT_FALSE(flags->help_wanted());
  }
}

TEST(CertFlags, KnowsACryForHelp) {
  for (const char* help : {"-h", "--h", "-help", "--help"}) {
    const std::array<std::string, 3> arguments{"-name", "x", help};
    const auto flags = Flags::parse(kRules, arguments);
    ASSERT_TRUE(flags);
    EXPECT_TRUE(flags->help_wanted()) << help;
  }
}

TEST(CertFlags, RefusesWhatItDoesNotKnow) {
  struct Row {
    const char* why;
    std::vector<std::string> arguments;
    std::string says;
  };
  const Row rows[] = {
      {"unknown", {"-nmae", "x"}, "no flag -nmae"},
      {"unknown, attached", {"-nmae=x"}, "no flag -nmae;"},
      {"without its value", {"-name"}, "-name needs a value: -name NAME"},
      {"a word too many, after which nebula-cert ignores flags", {"x", "-name", "y"}, "'x'"},
      {"only dashes", {"--"}, "'--' is no flag"},
      {"one dash", {"-"}, "'-' is no flag"},
      {"an empty word", {""}, "'' is no flag"},
      {"a switch with a strange value", {"-json=perhaps"}, "true or false, not 'perhaps'"},
  };
  for (const auto& [why, arguments, says] : rows) {
    SCOPED_TRACE(why);
    const auto flags = Flags::parse(kRules, arguments);
    ASSERT_FALSE(flags);
    EXPECT_EQ(flags.error().kind, Problem::Kind::kUsage);
    EXPECT_NE(flags.error().text.find(says), std::string::npos) << flags.error().text;
  }
}

TEST(CertFlags, DescribesThemselves) {
  EXPECT_EQ(describe(kRules),
            "  -name NAME\n        a name\n"
            "  -out FILE\n        a file (default ca.crt)\n"
            "  -json\n        a switch\n");
}

}  // namespace
}  // namespace magnetar::cli::cert
