// SPDX-License-Identifier: Apache-2.0
// TOML to Config. Finds every error in one go, each with its place and what would be right.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/config/schema.h"

namespace magnetar::config {

enum class Severity : std::uint8_t { kError, kWarning };

struct Diagnostic {
  std::string file;
  std::uint32_t line = 1;    // from 1
  std::uint32_t column = 1;  // from 1
  Severity severity = Severity::kError;
  std::string key;   // "outside.listen_port"; for syntax errors "toml"
  std::string what;  // what is wrong, and what would be right
  // "FILE:LINE:COLUMN: error: KEY: what", the form of the contract.
  [[nodiscard]] std::string to_string() const;
};

struct Loaded {
  std::optional<Config> config;  // none when there is an error
  std::vector<Diagnostic> diagnostics;
};

// Reads the file and what it names (certificates, keys). `now` decides validity. Control thread.
[[nodiscard]] Loaded load_file(const std::filesystem::path& path, WallTime now);
// CPUs of this machine, those that are offline included: what workers.cores may name.
[[nodiscard]] unsigned configured_cpus();
// The same from text; `name` stands for the file in messages, relative paths start at `directory`.
[[nodiscard]] Loaded load_text(std::string_view text, const std::string& name,
                               const std::filesystem::path& directory, WallTime now,
                               unsigned cpus = configured_cpus());

}  // namespace magnetar::config
