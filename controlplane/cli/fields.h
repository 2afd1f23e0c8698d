// SPDX-License-Identifier: Apache-2.0
// Reading fields of an answer without trusting its shape. Pure; for render*.cc.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "controlplane/ops/logfmt.h"

namespace magnetar::cli {

// The member `key`, or null.
[[nodiscard]] inline const nlohmann::json& field(const nlohmann::json& object, const char* key) {
  static const nlohmann::json none;
  if (!object.is_object()) return none;
  const auto found = object.find(key);
  return found == object.end() ? none : *found;
}

// Safe for terminals; "-": there is no text.
[[nodiscard]] inline std::string text_of(const nlohmann::json& value) {
  return value.is_string() && !value.get_ref<const std::string&>().empty()
             ? ops::printable(value.get_ref<const std::string&>())
             : "-";
}
[[nodiscard]] inline std::string text_of(const nlohmann::json& object, const char* key) {
  return text_of(field(object, key));
}

[[nodiscard]] inline double number_of(const nlohmann::json& object, const char* key) {
  const nlohmann::json& value = field(object, key);
  return value.is_number() ? value.get<double>() : 0;
}

[[nodiscard]] inline std::uint64_t count_of(const nlohmann::json& object, const char* key) {
  const nlohmann::json& value = field(object, key);
  const bool negative = value.is_number_integer() && !value.is_number_unsigned() && value < 0;
  return value.is_number_integer() && !negative ? value.get<std::uint64_t>() : 0;
}

[[nodiscard]] inline bool is_true(const nlohmann::json& object, const char* key) {
  const nlohmann::json& value = field(object, key);
  return value.is_boolean() && value.get<bool>();
}

// A list of texts with ", " between; "-": it is empty.
[[nodiscard]] inline std::string joined(const nlohmann::json& object, const char* key) {
  std::string out;
  for (const nlohmann::json& element : field(object, key)) {
    if (!out.empty()) out += ", ";
    out += text_of(element);
  }
  return out.empty() ? "-" : out;
}

}  // namespace magnetar::cli
