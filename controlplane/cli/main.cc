// SPDX-License-Identifier: Apache-2.0
// magnetar: the operator's command. Asks the gateway on its control socket and prints the answer.
#include <csignal>
#include <cstdio>
#include <exception>

#include "controlplane/cli/command_line.h"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // `magnetar drops | head` is no crash
  try {
    return magnetar::cli::run_command_line(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "magnetar: %s\n", error.what());
    return magnetar::cli::kRefused;
  }
}
