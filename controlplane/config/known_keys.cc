// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/known_keys.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "controlplane/config/section.h"

namespace magnetar::config {
namespace {

// Levenshtein's distance, one row at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

std::string_view leaf_of(std::string_view name) { return name.substr(name.rfind('.') + 1); }

bool is_top_level(std::string_view name) { return name.find('.') == std::string_view::npos; }

// A key in the wrong table is a smaller slip than it looks from its whole name.
constexpr std::size_t kWrongTable = 2;

std::size_t unlikeness(std::string_view written, std::string_view known) {
  return std::min(edit_distance(written, known),
                  edit_distance(leaf_of(written), leaf_of(known)) + kWrongTable);
}

std::string unknown_text(std::string_view name, bool is_table) {
  const KnownKey& nearest = nearest_known(name, is_table);
  std::string text = is_table ? "is not a known table" : "is not a known key";
  text += "; the nearest is ";
  text += nearest.name;
  if (nearest.kind == KeyKind::kLater) text += ", which this version does not support yet";
  return text;
}

// One key with its value. True when the keys inside it are to be checked as well.
bool check_key(const std::string& name, Place key_place, const toml::node& value, Report& report) {
  const KnownKey* known = find_known(name);
  if (known == nullptr) {
    // [[name]] is meant as a table, too.
    const bool is_table = is_top_level(name) && (value.is_table() || value.is_array_of_tables());
    report.error(key_place, name, unknown_text(name, is_table));
    return false;
  }
  if (known->kind == KeyKind::kLater) {
    report.error(key_place, name, "not supported by this version yet; take it out");
    return false;
  }
  if (known->kind == KeyKind::kTable && !value.is_table()) {
    report.error(place_of(value), name, wrong_type_text(value, "a table", known->example));
    return false;
  }
  return known->kind == KeyKind::kTable;
}

}  // namespace

const KnownKey* find_known(std::string_view name) {
  const auto* const row = std::ranges::find(kKnownKeys, name, &KnownKey::name);
  return row == kKnownKeys.end() ? nullptr : row;
}

const KnownKey& nearest_known(std::string_view name, bool is_table) {
  const KnownKey* best = nullptr;
  std::size_t best_distance = std::numeric_limits<std::size_t>::max();
  for (const KnownKey& known : kKnownKeys) {
    if (is_top_level(known.name) != is_table) continue;
    const std::size_t distance =
        is_table ? edit_distance(name, known.name) : unlikeness(name, known.name);
    if (distance >= best_distance) continue;
    best = &known;
    best_distance = distance;
  }
  return *best;  // the table holds keys of both sorts
}

void check_keys(const toml::table& root, Report& report) {
  for (auto&& [key, value] : root) {
    const std::string table = key_name(key.str());
    if (!check_key(table, place_of(key), value, report)) continue;
    for (auto&& [inner_key, inner_value] : *value.as_table())
      check_key(table + '.' + key_name(inner_key.str()), place_of(inner_key), inner_value, report);
  }
}

}  // namespace magnetar::config
