// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/section.h"

namespace magnetar::config {
namespace {

std::string_view type_name(const toml::node& value) {
  switch (value.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return "a boolean";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      return "a date or time";
    case toml::node_type::none:
      break;
  }
  return "nothing";
}

// Of the key itself or, for a key inside a value (an entry of tunnels.static), of that value.
std::string_view example_of(std::string_view name) {
  for (;;) {
    if (const KnownKey* known = find_known(name); known != nullptr) return known->example;
    const std::size_t dot = name.rfind('.');
    if (dot == std::string_view::npos) return "";
    name = name.substr(0, dot);
  }
}

}  // namespace

std::string wrong_type_text(const toml::node& value, std::string_view expected,
                            std::string_view example) {
  std::string text = "is ";
  text += type_name(value);
  text += "; ";
  text += expected;
  text += " is expected, for example ";
  text += example;
  return text;
}

Section::Section(const toml::table& root, std::string_view name, Report& report)
    : name_(name),
      node_(root.get(name)),
      table_(node_ == nullptr ? nullptr : node_->as_table()),
      report_(report) {}

void Section::require(std::string_view key) const {
  if (find(key) != nullptr) return;
  if (node_ != nullptr && table_ == nullptr) return;  // reported by check_keys
  std::string what = "is missing; it is required, for example ";
  what += key;
  what += " = ";
  what += example_of(dotted(key));
  error(key, what);
}

const toml::node* Section::find(std::string_view key) const {
  return table_ == nullptr ? nullptr : table_->get(key);
}

Place Section::place(std::string_view key) const {
  if (const toml::node* value = find(key); value != nullptr) return place_of(*value);
  return table_ == nullptr ? Place{} : place_of(*table_);
}

std::string Section::dotted(std::string_view key) const {
  return std::string(name_) + '.' + std::string(key);
}

void Section::error(std::string_view key, std::string_view what) const {
  report_.error(place(key), dotted(key), what);
}

void Section::warning(std::string_view key, std::string_view what) const {
  report_.warning(place(key), dotted(key), what);
}

void Section::wrong_type(std::string_view key, const toml::node& value,
                         std::string_view expected) const {
  const std::string name = dotted(key);
  report_.error(place_of(value), name, wrong_type_text(value, expected, example_of(name)));
}

void Section::bad_value(std::string_view key, const toml::node& value, std::string_view shown,
                        std::string_view rule) const {
  std::string what = "is ";
  what += shown;
  what += "; ";
  what += rule;
  report_.error(place_of(value), dotted(key), what);
}

void Section::boolean(std::string_view key, bool& to) const {
  const toml::node* value = find(key);
  if (value == nullptr) return;
  if (const auto* truth = value->as_boolean()) {
    to = truth->get();
  } else {
    wrong_type(key, *value, "true or false");
  }
}

std::optional<std::int64_t> Section::checked_number(std::string_view key, const toml::node& value,
                                                    Range range, std::string_view rule) const {
  const auto* integer = value.as_integer();
  if (integer == nullptr) {
    wrong_type(key, value, "an integer");
    return std::nullopt;
  }
  const std::int64_t number = integer->get();
  if (number < range.low || number > range.high) {
    bad_value(key, value, std::to_string(number), rule);
    return std::nullopt;
  }
  return number;
}

}  // namespace magnetar::config
