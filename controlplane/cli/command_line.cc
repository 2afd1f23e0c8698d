// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/command_line.h"

#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "controlplane/cli/cert/run.h"
#include "controlplane/cli/client.h"
#include "controlplane/cli/print_error.h"
#include "controlplane/cli/render.h"

namespace magnetar::cli {
namespace {

using nlohmann::json;

struct Options {
  std::string socket = "/run/magnetar/control.sock";
  bool as_json = false;
  bool all = false;
  std::string address;
  std::string command;
};

void describe(CLI::App& app, Options& options) {
  app.set_version_flag("--version", "magnetar " MAGNETAR_VERSION);
  app.add_option("--socket", options.socket, "control socket of the gateway")
      ->capture_default_str()
      ->type_name("PATH");
  app.add_flag("--json", options.as_json, "print one JSON document and nothing else");
  app.require_subcommand(1);
  app.fallthrough();  // `magnetar status --json` is what hands type
  app.footer(
      "Exit status: 0 fine, 1 the gateway refused or failed, 2 usage, 4 no gateway answers.");

  const auto command = [&](const char* name, const char* what) {
    CLI::App* sub = app.add_subcommand(name, what);
    sub->callback([&options, name] { options.command = name; });
    return sub;
  };
  // For the list of commands only: run_command_line() hands it over before this parses anything.
  app.add_subcommand("cert", "make, show and verify certificates; see `magnetar cert -h`");
  command("status", "version, certificate, ports, workers, how many tunnels");
  command("tunnels", "every tunnel, or all about one")
      ->add_option("ADDRESS", options.address, "overlay address of the peer");
  command("drops", "why packets were dropped, and how many")
      ->add_flag("--all", options.all, "reasons that did not occur, too");
  command("runtime", "what each worker does and what a packet costs it");
  command("reload", "read the configuration again, as SIGHUP does");
  command("close", "close the tunnel to one peer")
      ->add_option("ADDRESS", options.address, "overlay address of the peer")
      ->required();
}

std::string render(const Options& options, const json& result) {
  if (options.as_json) return result.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
  if (options.command == "status") return render_status(result);
  if (options.command == "drops") return render_drops(result, options.all);
  if (options.command == "runtime") return render_runtime(result);
  if (options.command == "reload") return render_reload(result);
  if (options.command == "close") return render_close(result);
  return options.address.empty() ? render_tunnels(result) : render_tunnel_details(result);
}

int run(const Options& options) {
  std::vector<std::string> arguments;
  if (!options.address.empty()) arguments.push_back(options.address);
  const auto result = call(options.socket, options.command, arguments);
  if (!result) {
    print_error(result.error().text);
    return result.error().kind == CallError::Kind::kNoGateway ? kNoGateway : kRefused;
  }
  const std::string text = render(options, *result);
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  return std::fflush(stdout) == 0 && written ? kFine : kRefused;
}

struct CertCall {
  bool as_json = false;
  std::vector<std::string> arguments;
};
// `cert` has nebula-cert's flags (-name x), which this library takes for -n -a -m -e. None: the
// first word that is no option is another.
std::optional<CertCall> cert_call(std::span<const char* const> arguments) {
  CertCall call;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "cert") {
      call.arguments.assign(arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                            arguments.end());
      return call;
    }
    if (argument == "--json") {
      call.as_json = true;
    } else if (argument == "--socket") {
      ++i;  // and its value
    } else if (!argument.starts_with("--socket=")) {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace

int run_command_line(int argc, const char* const* argv) {
  if (const auto call = cert_call(std::span(argv, static_cast<std::size_t>(argc))))
    return cert::run(call->arguments, call->as_json);
  CLI::App app{"The operator's command of the Magnetar gateway.", "magnetar"};
  Options options;
  describe(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {  // --help and --version are exceptions to this library
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    app.exit(error);
    std::fputs(app.help().c_str(), stderr);
    return kUsage;
  }
  return run(options);
}

}  // namespace magnetar::cli
