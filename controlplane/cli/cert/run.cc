// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/cert/run.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

#include <sodium.h>

#include "controlplane/cli/cert/passphrase.h"
#include "controlplane/cli/command_line.h"
#include "controlplane/cli/print_error.h"

namespace magnetar::cli::cert {
namespace {

struct Command {
  std::string_view name;
  std::string_view summary;
  std::span<const FlagRule> (*flags)();
  Answer (*run)(const Flags&, const Surroundings&);
};
constexpr std::array kCommands{
    Command{"ca", "makes a certificate authority", ca_flags, ca},
    Command{"sign", "makes a host's certificate", sign_flags, sign},
    Command{"keygen", "makes a host's key pair; `sign -in-pub` takes the public key", keygen_flags,
            keygen},
    Command{"print", "shows what certificates say", print_flags, print},
    Command{"verify", "tells whether certificates are good now, under given CAs", verify_flags,
            verify},
};

class SystemRandom final : public RandomSource {
 public:
  void fill(MutableBytes to) override { randombytes_buf(to.data(), to.size()); }
};

bool show(std::string_view text) {
  if (text.empty()) return true;  // may have no address, which fwrite() must not be given
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  return std::fflush(stdout) == 0 && written;
}

bool asks_for_help(std::string_view argument) {
  return argument == "-h" || argument == "-help" || argument == "--help" || argument == "help";
}

std::string overview() {
  std::string text = "Usage: magnetar cert COMMAND FLAGS, with the flags of nebula-cert\n\n";
  for (const Command& command : kCommands)
    text += "  " + std::string(command.name) + std::string(8 - command.name.size(), ' ') +
            std::string(command.summary) + "\n";
  return text + "\n`magnetar cert COMMAND -h` lists the flags. No file is ever overwritten.\n";
}

std::string help_for(const Command& command) {
  return "Usage: magnetar cert " + std::string(command.name) +
         " FLAGS: " + std::string(command.summary) + "\n" + describe(command.flags());
}

int fail_with(const Problem& problem, const std::string& hint) {
  print_error(problem.text);
  if (!show(problem.document)) return kRefused;
  if (problem.kind != Problem::Kind::kUsage) return kRefused;
  print_error("see " + hint);
  return kUsage;
}

int run_one(const Command& command, std::span<const std::string> arguments, Surroundings& around) {
  const std::string hint = "`magnetar cert " + std::string(command.name) + " -h`";
  const auto flags = Flags::parse(command.flags(), arguments);
  if (!flags) return fail_with(flags.error(), hint);
  if (flags->help_wanted()) return show(help_for(command)) ? kFine : kRefused;
  around.as_json = around.as_json || flags->is_on(kJsonFlag.name);
  const Answer answer = command.run(*flags, around);
  if (!answer) return fail_with(answer.error(), hint);
  return show(answer->reveal()) ? kFine : kRefused;
}

}  // namespace

int run(std::span<const std::string> arguments, Surroundings around) {
  const std::string hint = "`magnetar cert -h`";
  if (arguments.empty())
    return fail_with(
        {Problem::Kind::kUsage, "cert needs a command: ca, sign, keygen, print, verify", {}}, hint);
  if (asks_for_help(arguments.front())) return show(overview()) ? kFine : kRefused;
  const auto command = std::ranges::find(kCommands, arguments.front(), &Command::name);
  if (command == kCommands.end())
    return fail_with({Problem::Kind::kUsage, "cert has no command '" + arguments.front() + "'", {}},
                     hint);
  return run_one(*command, arguments.subspan(1), around);
}

int run(std::span<const std::string> arguments, bool as_json) {
  if (sodium_init() < 0) {
    print_error("libsodium cannot be used on this machine");
    return kRefused;
  }
  SystemRandom random;
  return run(arguments,
             Surroundings{std::chrono::system_clock::now(), random, ask_passphrase, as_json});
}

}  // namespace magnetar::cli::cert
