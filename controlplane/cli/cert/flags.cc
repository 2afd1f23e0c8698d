// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/cert/flags.h"

#include <algorithm>
#include <array>
#include <optional>

#include "dataplane/base/check.h"

namespace magnetar::cli::cert {
namespace {

constexpr std::array<std::string_view, 6> kTrue{"true", "1", "t", "T", "TRUE", "True"};
constexpr std::array<std::string_view, 6> kFalse{"false", "0", "f", "F", "FALSE", "False"};

// "-name" and "--name" without their dashes; none: not a flag.
std::optional<std::string_view> without_dashes(std::string_view argument) {
  if (argument.size() < 2 || argument[0] != '-') return std::nullopt;
  argument.remove_prefix(argument[1] == '-' ? 2 : 1);
  return argument;
}

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

Result<std::string, Problem> switch_value(std::string_view name, std::string_view text) {
  if (std::ranges::find(kTrue, text) != kTrue.end()) return "true";
  if (std::ranges::find(kFalse, text) != kFalse.end()) return "false";
  return misused("-" + std::string(name) + " takes true or false, not " + quoted(text));
}

}  // namespace

Result<Flags, Problem> Flags::parse(std::span<const FlagRule> rules,
                                    std::span<const std::string> arguments) {
  Flags flags;
  for (const FlagRule& rule : rules) flags.values_.emplace(rule.name, rule.fallback);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto flag = without_dashes(arguments[i]);
    if (!flag || flag->empty())
      return misused(quoted(arguments[i]) + " is no flag; only flags and their values go here");
    const std::size_t equals = flag->find('=');
    const std::string_view name = flag->substr(0, equals);
    if (name == "h" || name == "help") {
      flags.help_wanted_ = true;
      continue;
    }
    const auto rule = std::ranges::find(rules, name, &FlagRule::name);
    if (rule == rules.end())
      return misused("there is no flag -" + std::string(name) + "; -h lists those there are");

    const bool attached = equals != std::string_view::npos;
    std::string& value = flags.values_.find(name)->second;
    if (rule->value.empty()) {
      auto on = switch_value(name, attached ? flag->substr(equals + 1) : "true");
      if (!on) return fail(std::move(on).error());
      value = *std::move(on);
    } else if (attached) {
      value = flag->substr(equals + 1);
    } else if (++i < arguments.size()) {
      value = arguments[i];
    } else {
      return misused("-" + std::string(name) + " needs a value: -" + std::string(name) + " " +
                     std::string(rule->value));
    }
  }
  return flags;
}

const std::string& Flags::operator[](std::string_view name) const {
  const auto found = values_.find(name);
  MAGNETAR_CHECK(found != values_.end());
  return found->second;
}

std::string describe(std::span<const FlagRule> rules) {
  std::string text;
  for (const FlagRule& rule : rules) {
    text += "  -" + std::string(rule.name);
    if (!rule.value.empty()) text += " " + std::string(rule.value);
    text += "\n        " + std::string(rule.help);
    if (!rule.value.empty() && !rule.fallback.empty())
      text += " (default " + std::string(rule.fallback) + ")";
    text += "\n";
  }
  return text;
}

}  // namespace magnetar::cli::cert
