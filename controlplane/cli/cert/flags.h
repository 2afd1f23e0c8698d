// SPDX-License-Identifier: Apache-2.0
// Flags as nebula-cert takes them: `-name x`, `-name=x`, `--name x`, and switches that take a value
// only after `=`. A flag given twice counts as given last. Pure.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "controlplane/cli/cert/problem.h"
#include "dataplane/base/result.h"

namespace magnetar::cli::cert {

struct FlagRule {
  std::string_view name;
  std::string_view value;     // what stands for the value in the help; empty: a switch
  std::string_view fallback;  // without the flag
  std::string_view help;
};

class Flags {
 public:
  // Refuses unknown flags, flags without their value and whatever is no flag.
  [[nodiscard]] static Result<Flags, Problem> parse(std::span<const FlagRule> rules,
                                                    std::span<const std::string> arguments);

  // The value given, or the rule's fallback. The name is one of the rules'.
  [[nodiscard]] const std::string& operator[](std::string_view name) const;
  [[nodiscard]] bool is_on(std::string_view name) const { return (*this)[name] == "true"; }
  [[nodiscard]] bool help_wanted() const { return help_wanted_; }

 private:
  std::map<std::string, std::string, std::less<>> values_;
  bool help_wanted_ = false;
};

// A line for each flag, and one more for its default.
[[nodiscard]] std::string describe(std::span<const FlagRule> rules);

}  // namespace magnetar::cli::cert
