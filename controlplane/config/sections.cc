// SPDX-License-Identifier: Apache-2.0
// The small tables, and what must hold between tables.
#include "controlplane/config/sections.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include <sys/un.h>

#include "controlplane/config/section.h"

namespace magnetar::config {
namespace {

constexpr Choice<Memory> kMemories[] = {
    {"hugepages", Memory::kHugepages}, {"ordinary", Memory::kOrdinary}, {"auto", Memory::kAuto}};
constexpr Choice<Idle> kIdles[] = {{"poll", Idle::kPoll}, {"adaptive", Idle::kAdaptive}};
constexpr Choice<LogLevel> kLogLevels[] = {{"debug", LogLevel::kDebug},
                                           {"info", LogLevel::kInfo},
                                           {"warning", LogLevel::kWarning},
                                           {"error", LogLevel::kError}};
constexpr Choice<LogFormat> kLogFormats[] = {{"text", LogFormat::kText},
                                             {"json", LogFormat::kJson}};

std::optional<std::string> parse_socket_path(std::string_view text) {
  constexpr std::size_t kLimit = sizeof(sockaddr_un::sun_path);  // with the zero at its end
  const bool fits = text.size() < kLimit && text.find('\0') == std::string_view::npos;
  return fits && text.starts_with('/') && !text.ends_with('/') ? std::optional(std::string(text))
                                                               : std::nullopt;
}

void check_cores(const Section& section, const Workers& workers, unsigned cpus) {
  if (workers.cores.empty() && section.find("cores")->as_array()->empty())
    section.error("cores", "is empty; at least one CPU is expected, for example [1]");
  const bool left_out = section.find("cores") == nullptr;
  if (left_out && workers.cores.front() >= cpus)
    section.error("cores",
                  "is left out, its default is [1], and this machine has CPU 0 only; "
                  "write cores = [0]");
  if (std::ranges::find(workers.cores, workers.control_core) == workers.cores.end()) return;
  const std::string core = std::to_string(workers.control_core);
  section.warning(section.find("control_core") == nullptr ? "cores" : "control_core",
                  "CPU " + core + " is a worker's and the control thread's; they compete for it");
}

}  // namespace

Workers read_workers(const toml::table& root, unsigned cpus, Report& report) {
  const Section section(root, "workers", report);
  Workers to;
  const Range present{0, static_cast<std::int64_t>(cpus) - 1};
  const std::string rule = cpus == 1 ? "this machine has CPU 0 only"
                                     : "this machine has CPUs 0 to " + std::to_string(present.high);
  section.numbers("cores", to.cores, present, rule, Repeats::kRefused);
  section.number("control_core", to.control_core, present, rule);
  section.choice<Memory>("memory", to.memory, kMemories);
  section.choice<Idle>("idle", to.idle, kIdles);
  check_cores(section, to, cpus);
  return to;
}

Handshake read_handshake(const toml::table& root, Report& report) {
  const Section section(root, "handshake", report);
  Handshake to;
  std::int64_t interval_ms = std::chrono::floor<std::chrono::milliseconds>(to.try_interval).count();
  section.number("try_interval_ms", interval_ms, {10, 10'000},
                 "the interval is 10 to 10000 milliseconds");
  to.try_interval = std::chrono::milliseconds(interval_ms);
  section.number("retries", to.retries, {1, 100}, "1 to 100 tries are possible");
  section.number("queued_packets", to.queued_packets, {0, 10'000},
                 "0 to 10000 packets can wait for a tunnel");
  section.number("max_per_second", to.max_per_second, {0, 1'000'000},
                 "0 (no limit) to 1000000 handshakes a second are possible");
  return to;
}

void read_metrics(const toml::table& root, Config& config, Report& report) {
  Section(root, "metrics", report)
      .text("listen", config.metrics_listen, UnderlayAddr::parse,
            R"(an address and a TCP port are expected, for example "127.0.0.1:9469")");
}

void read_control(const toml::table& root, Config& config, Report& report) {
  Section(root, "control", report)
      .text("socket", config.control_socket, parse_socket_path,
            "an absolute path of at most 107 bytes is expected, for example "
            R"("/run/magnetar/control.sock")");
}

void read_log(const toml::table& root, Config& config, Report& report) {
  const Section section(root, "log", report);
  section.choice<LogLevel>("level", config.log_level, kLogLevels);
  section.choice<LogFormat>("format", config.log_format, kLogFormats);
}

}  // namespace magnetar::config
