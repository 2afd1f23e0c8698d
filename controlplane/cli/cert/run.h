// SPDX-License-Identifier: Apache-2.0
// `magnetar cert`: Nebula certificates with nebula-cert's flags, files and output. Asks no gateway.
#pragma once

#include <span>
#include <string>

#include "controlplane/cli/cert/commands.h"

namespace magnetar::cli::cert {

// `arguments`: what follows `cert`. What went wrong is on standard error. Gives the exit status.
int run(std::span<const std::string> arguments, Surroundings around);
// With the machine's clock, randomness and terminal.
int run(std::span<const std::string> arguments, bool as_json);

}  // namespace magnetar::cli::cert
