// SPDX-License-Identifier: Apache-2.0
// Why a `magnetar cert` command did not do what was asked.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "dataplane/base/result.h"

namespace magnetar::cli::cert {

struct Problem {
  enum class Kind : std::uint8_t { kFailed, kUsage };
  Kind kind = Kind::kFailed;
  std::string text;      // for people; one or more lines
  std::string document;  // for standard output all the same: the verdicts of `verify` as JSON
};

[[nodiscard]] inline auto failed(std::string text) {
  return fail(Problem{Problem::Kind::kFailed, std::move(text), {}});
}
// What was typed is wrong, whatever the files hold.
[[nodiscard]] inline auto misused(std::string text) {
  return fail(Problem{Problem::Kind::kUsage, std::move(text), {}});
}

}  // namespace magnetar::cli::cert
