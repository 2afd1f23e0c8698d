// SPDX-License-Identifier: Apache-2.0
// Any text is either a configuration or a list of errors, each on one line.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "controlplane/config/load.h"
#include "dataplane/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using magnetar::config::Severity;
  constexpr magnetar::WallTime kNow{std::chrono::seconds(1'750'000'000)};
  constexpr unsigned kCpus = 4;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto loaded = magnetar::config::load_text(text, "fuzz.toml", {}, kNow, kCpus);
  bool has_errors = false;
  for (const auto& diagnostic : loaded.diagnostics) {
    has_errors = has_errors || diagnostic.severity == Severity::kError;
    MAGNETAR_CHECK(diagnostic.line >= 1 && diagnostic.column >= 1);
    MAGNETAR_CHECK(diagnostic.to_string().find('\n') == std::string::npos);
  }
  MAGNETAR_CHECK(loaded.config.has_value() != has_errors);
  if (loaded.config) MAGNETAR_CHECK(loaded.config->identity != nullptr);
  return 0;
}
