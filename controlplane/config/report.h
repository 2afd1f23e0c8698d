// SPDX-License-Identifier: Apache-2.0
// Collects what is wrong with a configuration, each finding with its place in the file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

#include "controlplane/config/load.h"

namespace magnetar::config {

struct Place {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};
[[nodiscard]] Place place_of(const toml::node& node);
[[nodiscard]] Place place_of(const toml::key& key);

// `text` in quotes, cut when it is long.
[[nodiscard]] std::string in_quotes(std::string_view text);
// A key as TOML would write it: bare where it may be, else quoted.
[[nodiscard]] std::string key_name(std::string_view key);

class Report {
 public:
  explicit Report(std::string file) : file_(std::move(file)) {}

  void error(Place place, std::string_view key, std::string_view what);
  void warning(Place place, std::string_view key, std::string_view what);
  [[nodiscard]] bool has_errors() const;
  // In the order of the file; this object is empty afterwards.
  [[nodiscard]] std::vector<Diagnostic> take();

 private:
  void add(Place place, Severity severity, std::string_view key, std::string_view what);

  std::string file_;
  std::vector<Diagnostic> diagnostics_;
};

}  // namespace magnetar::config
