// SPDX-License-Identifier: Apache-2.0
#include "controlplane/ops/log.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <utility>

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "controlplane/ops/logfmt.h"
#include "controlplane/ops/time_text.h"

namespace magnetar::ops {
namespace {

std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      break;
  }
  return "error";
}

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      break;
  }
  return spdlog::level::err;
}

struct Log {
  spdlog::logger logger{"magnetar", std::make_shared<spdlog::sinks::stderr_sink_mt>()};
  std::atomic<config::LogFormat> format{config::LogFormat::kText};

  Log() { logger.set_pattern("%v"); }
};

Log& the_log() {
  static Log log;
  return log;
}

// Takes the quoted value that `rest` begins with off it, escapes undone.
std::string take_quoted(std::string_view& rest) {
  std::string value;
  std::size_t i = 1;
  for (; i < rest.size() && rest[i] != '"'; ++i) {
    if (rest[i] != '\\' || i + 1 == rest.size()) {
      value += rest[i];
      continue;
    }
    switch (const char escaped = rest[++i]) {
      case 'n':
        value += '\n';
        break;
      case 't':
        value += '\t';
        break;
      case 'r':
        value += '\r';
        break;
      case '"':
      case '\\':
        value += escaped;
        break;
      default:
        (value += '\\') += escaped;  // \xNN stays as it is: the byte may be no UTF-8
    }
  }
  rest.remove_prefix(std::min(i + 1, rest.size()));
  return value;
}

std::string take_until(std::string_view& rest, std::string_view stops) {
  const std::string taken{rest.substr(0, rest.find_first_of(stops))};
  rest.remove_prefix(taken.size());
  return taken;
}

}  // namespace

nlohmann::ordered_json parse_logfmt(std::string_view rest) {
  auto fields = nlohmann::ordered_json::object();
  std::string words;
  while (!rest.empty()) {
    if (rest.front() == ' ') {
      rest.remove_prefix(1);
      continue;
    }
    const std::string key = take_until(rest, "= ");
    if (key.empty() || rest.empty() || rest.front() == ' ') {
      const std::string word = key.empty() ? take_until(rest, " ") : key;
      words += (words.empty() ? "" : " ") + word;
      continue;
    }
    rest.remove_prefix(1);
    const bool quoted = !rest.empty() && rest.front() == '"';
    fields.emplace(key, quoted ? take_quoted(rest) : take_until(rest, " "));
  }
  if (!words.empty()) fields.emplace("text", words);
  return fields;
}

std::string format_log_line(config::LogFormat format, LogLevel level, WallTime time,
                            std::string_view logfmt_text) {
  if (format == config::LogFormat::kText) {
    std::string line = "time=" + rfc3339_ms(time) + " level=";
    line += level_name(level);
    // Whatever slipped past logfmt_value() still may not split a line.
    return (line += ' ') += printable(logfmt_text);
  }
  nlohmann::ordered_json line{{"time", rfc3339_ms(time)}, {"level", level_name(level)}};
  // emplace: an event cannot replace the time and level of its own line.
  auto fields = parse_logfmt(logfmt_text);
  for (auto& [key, value] : fields.items()) line.emplace(key, std::move(value));
  return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void configure_log(LogLevel level, config::LogFormat format) {
  the_log().logger.set_level(spdlog_level(level));
  the_log().format = format;
}

void log(LogLevel level, std::string_view logfmt_text) {
  Log& log = the_log();
  if (!log.logger.should_log(spdlog_level(level))) return;
  const WallTime now = std::chrono::system_clock::now();
  log.logger.log(spdlog_level(level), format_log_line(log.format, level, now, logfmt_text));
}

}  // namespace magnetar::ops
