// SPDX-License-Identifier: Apache-2.0
// The operator's command as a function: arguments in, text on standard output, exit status out.
#pragma once

namespace magnetar::cli {

enum ExitStatus { kFine = 0, kRefused = 1, kUsage = 2, kNoGateway = 4 };

// What went wrong is on standard error. SIGPIPE must be ignored.
int run_command_line(int argc, const char* const* argv);

}  // namespace magnetar::cli
