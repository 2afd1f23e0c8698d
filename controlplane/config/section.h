// SPDX-License-Identifier: Apache-2.0
// Reads the keys of one table, one line a key. A value that is wrong is reported and leaves its
// destination as it was, so that reading goes on and finds the next error.
#pragma once

#include <algorithm>
#include <concepts>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <toml++/toml.h>

#include "controlplane/config/known_keys.h"
#include "controlplane/config/report.h"

namespace magnetar::config {

// "is a string; an integer is expected, for example 4242"
[[nodiscard]] std::string wrong_type_text(const toml::node& value, std::string_view expected,
                                          std::string_view example);

struct Range {
  std::int64_t low;
  std::int64_t high;
};

template <typename T>
using Choice = std::pair<std::string_view, T>;

enum class ListForm : std::uint8_t { kList, kListOrOne };
enum class Repeats : std::uint8_t { kAllowed, kRefused };

class Section {
 public:
  // A table that is not there reads as an empty one. `root` and `report` must outlive this object.
  Section(const toml::table& root, std::string_view name, Report& report);

  // Says so when `key` is not there.
  void require(std::string_view key) const;

  // `rule` completes "is 99999; ": "a UDP port is 1 to 65535".
  template <std::integral T>
  void number(std::string_view key, T& to, Range range, std::string_view rule) const {
    if (const toml::node* value = find(key); value != nullptr)
      if (const auto n = checked_number(key, *value, range, rule)) to = static_cast<T>(*n);
  }

  void boolean(std::string_view key, bool& to) const;

  // A string that `parse` turns into a std::optional<T>, none when it cannot.
  template <typename T, typename Parse>
  void text(std::string_view key, T& to, Parse&& parse, std::string_view rule) const {
    if (const toml::node* value = find(key); value != nullptr)
      if (auto item = checked_text(key, *value, parse, rule)) to = std::move(*item);
  }

  template <typename T>
  void choice(std::string_view key, T& to, std::span<const Choice<T>> choices) const {
    const auto parse = [&](std::string_view text) -> std::optional<T> {
      const auto found = std::ranges::find(choices, text, &Choice<T>::first);
      return found == choices.end() ? std::nullopt : std::optional(found->second);
    };
    std::string rule;
    for (const auto& [name, unused] : choices)
      rule += (rule.empty() ? "" : " or ") + in_quotes(name);
    text(key, to, parse, rule + " is expected");
  }

  template <std::integral T>
  void numbers(std::string_view key, std::vector<T>& to, Range range, std::string_view rule,
               Repeats repeats) const {
    list(key, to, ListForm::kList, repeats, [&](const toml::node& item) -> std::optional<T> {
      const auto n = checked_number(key, item, range, rule);
      return n ? std::optional(static_cast<T>(*n)) : std::nullopt;
    });
  }

  template <typename T, typename Parse>
  void texts(std::string_view key, std::vector<T>& to, Parse&& parse, std::string_view rule,
             Repeats repeats, ListForm form = ListForm::kList) const {
    list(key, to, form, repeats,
         [&](const toml::node& item) { return checked_text(key, item, parse, rule); });
  }

  // The value as written; none when it is not there.
  [[nodiscard]] const toml::node* find(std::string_view key) const;
  // Of the value, or of the table when the value was left out.
  [[nodiscard]] Place place(std::string_view key) const;
  [[nodiscard]] std::string dotted(std::string_view key) const;
  [[nodiscard]] Report& report() const { return report_; }

  void error(std::string_view key, std::string_view what) const;
  void warning(std::string_view key, std::string_view what) const;
  void wrong_type(std::string_view key, const toml::node& value, std::string_view expected) const;

  // A string that `parse` accepts; what is wrong is reported at the value.
  template <typename Parse>
  auto checked_text(std::string_view key, const toml::node& value, Parse&& parse,
                    std::string_view rule) const -> decltype(parse(std::string_view{})) {
    const auto* text = value.as_string();
    if (text == nullptr) {
      wrong_type(key, value, "a string");
      return std::nullopt;
    }
    auto parsed = parse(std::string_view(text->get()));
    if (!parsed) bad_value(key, value, in_quotes(text->get()), rule);
    return parsed;
  }

 private:
  [[nodiscard]] std::optional<std::int64_t> checked_number(std::string_view key,
                                                           const toml::node& value, Range range,
                                                           std::string_view rule) const;
  void bad_value(std::string_view key, const toml::node& value, std::string_view shown,
                 std::string_view rule) const;

  // Replaces `to` by the items that `read` accepts.
  template <typename T, typename Read>
  void list(std::string_view key, std::vector<T>& to, ListForm form, Repeats repeats,
            Read&& read) const {
    const toml::node* value = find(key);
    if (value == nullptr) return;
    std::vector<T> items;
    const auto add = [&](const toml::node& item) {
      auto read_item = read(item);
      if (!read_item) return;
      if (repeats == Repeats::kRefused && std::ranges::find(items, *read_item) != items.end())
        report_.error(place_of(item), dotted(key), "is listed twice; name it once");
      else
        items.push_back(std::move(*read_item));
    };
    if (const auto* array = value->as_array(); array != nullptr)
      for (const toml::node& item : *array) add(item);
    else if (form == ListForm::kListOrOne && value->is_string())
      add(*value);
    else
      return wrong_type(key, *value, "a list");
    to = std::move(items);
  }

  std::string_view name_;
  const toml::node* node_;    // what stands under the name, if anything
  const toml::table* table_;  // none when it is not there or is no table
  Report& report_;
};

}  // namespace magnetar::config
