// SPDX-License-Identifier: Apache-2.0
// Asks the gateway on its control socket. Blocks; for the operator's command, not for the daemon.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "dataplane/base/result.h"

namespace magnetar::cli {

struct CallError {
  enum class Kind : std::uint8_t {
    kRefused,    // the gateway's own words
    kNoGateway,  // nobody answers on that socket
  };
  Kind kind;
  std::string text;
};

// The result of `command`. Waits at most `patience` for each step of the gateway.
[[nodiscard]] Result<nlohmann::json, CallError> call(
    const std::string& socket_path, const std::string& command,
    const std::vector<std::string>& arguments,
    std::chrono::milliseconds patience = std::chrono::seconds(10));

}  // namespace magnetar::cli
