// SPDX-License-Identifier: Apache-2.0
// magnetard: arguments, configuration, App, run, tear down in reverse.
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>

#include <CLI/CLI.hpp>
#include <rte_version.h>
#include <sodium.h>

#include "controlplane/app.h"
#include "controlplane/config/load.h"
#include "controlplane/ops/log.h"
#include "controlplane/ops/logfmt.h"
#include "drivers/crypto/ipsec_mb.h"

namespace {

using namespace magnetar;

enum ExitStatus { kFine = 0, kOther = 1, kConfiguration = 2, kDevice = 3 };

// Every diagnostic on a line of its own; the configuration if none is an error.
std::optional<config::Config> load(const std::string& path) {
  config::Loaded loaded = config::load_file(path, read_clock().wall);
  for (const config::Diagnostic& diagnostic : loaded.diagnostics)
    std::fprintf(stderr, "%s\n", diagnostic.to_string().c_str());
  return std::move(loaded.config);
}

// Before any thread exists, so that all inherit it: the control thread reads signals from a
// descriptor.
void block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

int serve(const std::string& path, const config::Config& config) {
  ops::configure_log(config.log_level, config.log_format);
  block_signals();
  auto app = App::open(path, config);
  if (!app) {
    std::fprintf(stderr, "magnetard: %s\n", app.error().what.c_str());
    return kDevice;
  }
  (*app)->run();
  return kFine;
}

int run(int argc, char** argv) {
  CLI::App cli("Magnetar: a VPN gateway that speaks Nebula", "magnetard");
  std::string path;
  bool check = false;
  cli.add_option("-c,--config", path, "configuration file (TOML)")->required();
  cli.add_flag("--check", check, "validate the configuration and exit");
  cli.set_version_flag("--version", "magnetard " MAGNETAR_VERSION "\n" +
                                        std::string(rte_version()) + "\nipsec-mb " +
                                        ipsec_mb_version());
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return cli.exit(error) == 0 ? kFine : kConfiguration;
  }
  const auto config = load(path);
  if (!config) return kConfiguration;
  return check ? kFine : serve(path, *config);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (sodium_init() < 0) return kOther;
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "magnetard: %s\n", error.what());
    return kOther;
  }
}
