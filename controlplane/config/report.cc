// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/report.h"

#include <algorithm>
#include <tuple>

namespace magnetar::config {
namespace {

constexpr std::size_t kQuotedLimit = 64;

Place from_toml(const toml::source_position& position) {
  // A node that was not parsed from text has no position.
  if (position.line == 0) return {};
  return {position.line, position.column};
}

bool is_bare(std::string_view key) {
  constexpr std::string_view kBare =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  return !key.empty() && key.find_first_not_of(kBare) == std::string_view::npos;
}

// A finding is one line, whatever somebody wrote into a key, a value or a file name.
std::string one_line(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto value = static_cast<unsigned char>(c);
    if (value >= 0x20 && value != 0x7f) {
      out += c;
      continue;
    }
    out += "\\x";
    out += kHex[value >> 4U];
    out += kHex[value & 0xfU];
  }
  return out;
}

}  // namespace

Place place_of(const toml::node& node) { return from_toml(node.source().begin); }
Place place_of(const toml::key& key) { return from_toml(key.source().begin); }

std::string in_quotes(std::string_view text) {
  std::size_t kept = std::min(text.size(), kQuotedLimit);
  // Never cut inside a UTF-8 sequence.
  while (kept > 0 && kept < text.size() && (static_cast<unsigned char>(text[kept]) & 0xc0U) == 0x80)
    --kept;
  std::string out = "\"";
  for (const char c : text.substr(0, kept)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  if (kept < text.size()) out += "...";
  return out + '"';
}

std::string key_name(std::string_view key) {
  return is_bare(key) && key.size() <= kQuotedLimit ? std::string(key) : in_quotes(key);
}

std::string Diagnostic::to_string() const {
  return file + ':' + std::to_string(line) + ':' + std::to_string(column) +
         (severity == Severity::kError ? ": error: " : ": warning: ") + key + ": " + what;
}

void Report::add(Place place, Severity severity, std::string_view key, std::string_view what) {
  diagnostics_.push_back(
      {file_, place.line, place.column, severity, one_line(key), one_line(what)});
}

void Report::error(Place place, std::string_view key, std::string_view what) {
  add(place, Severity::kError, key, what);
}

void Report::warning(Place place, std::string_view key, std::string_view what) {
  add(place, Severity::kWarning, key, what);
}

bool Report::has_errors() const {
  return std::ranges::any_of(diagnostics_,
                             [](const auto& d) { return d.severity == Severity::kError; });
}

std::vector<Diagnostic> Report::take() {
  std::ranges::stable_sort(diagnostics_, {},
                           [](const auto& d) { return std::tuple(d.line, d.column); });
  return std::exchange(diagnostics_, {});
}

}  // namespace magnetar::config
