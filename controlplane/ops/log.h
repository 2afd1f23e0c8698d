// SPDX-License-Identifier: Apache-2.0
// The daemon's log: one line an event on standard error, as logfmt or JSON. Events arrive as logfmt
// pairs (`event="tunnel up" peer=10.42.0.1`); values from outside go through logfmt_value() first.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "controlplane/action.h"
#include "controlplane/config/schema.h"
#include "dataplane/base/time.h"

namespace magnetar::ops {

// Takes effect with the next line. Before the first call: info, text. Any thread.
void configure_log(LogLevel level, config::LogFormat format);

// Writes one line when `level` is at or above the configured one. Any thread.
void log(LogLevel level, std::string_view logfmt_text);

// The line without its newline. Pure.
[[nodiscard]] std::string format_log_line(config::LogFormat format, LogLevel level, WallTime time,
                                          std::string_view logfmt_text);

// The pairs of `logfmt_text` in order, all values as strings; words that are no pair are joined
// under "text". A key that comes twice keeps its first value. Takes any input. Pure.
[[nodiscard]] nlohmann::ordered_json parse_logfmt(std::string_view logfmt_text);

}  // namespace magnetar::ops
