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

// What sealing adds to an inside packet: outer IP, UDP, Nebula header and tag (wire.md section 1).
constexpr unsigned kOverheadV4 = 20 + 8 + 16 + 16;
constexpr unsigned kOverheadV6 = 40 + 8 + 16 + 16;

std::optional<std::string> parse_interface_name(std::string_view text) {
  return is_interface_name(text) ? std::optional(std::string(text)) : std::nullopt;
}

std::optional<std::string> parse_socket_path(std::string_view text) {
  constexpr std::size_t kLimit = sizeof(sockaddr_un::sun_path);  // with the zero at its end
  const bool fits = text.size() < kLimit && text.find('\0') == std::string_view::npos;
  return fits && text.starts_with('/') && !text.ends_with('/') ? std::optional(std::string(text))
                                                               : std::nullopt;
}

// Refuses the devices that the contract has and this version has not.
void check_device(const Section& section) {
  std::string device = "tun";
  section.text(
      "device", device, [](std::string_view text) { return std::optional(std::string(text)); }, "");
  if (device == "tun") return;
  section.error("device", "is " + in_quotes(device) +
                              R"(; not supported by this version yet; take it out or write "tun")");
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

bool is_outside_v6(const Config& config) {
  const auto is_v6 = [](const IpAddr& addr) { return !addr.is_v4(); };
  const auto has_v6 = [&](const auto& entry) {
    return std::ranges::any_of(entry.second, is_v6, &UnderlayAddr::ip);
  };
  return std::ranges::any_of(config.outside.addresses, is_v6, &Prefix::addr) ||
         std::ranges::any_of(config.outside.gateways, is_v6) ||
         std::ranges::any_of(config.tunnels.static_remotes, has_v6);
}

// The kernel gives no IPv6 address to a device of a smaller MTU.
void check_ipv6_inside(const Section& section, const Config& config) {
  if (config.identity == nullptr || config.inside.mtu >= kMinIpv6Mtu) return;
  const auto& networks = config.identity->widest().networks;
  const auto is_v6 = [](const Prefix& network) { return !network.addr.is_v4(); };
  const auto v6 = std::ranges::find_if(networks, is_v6);
  if (v6 == networks.end()) return;
  section.error("mtu", "is " + std::to_string(config.inside.mtu) +
                           "; IPv6 in the overlay (pki.cert has " + v6->to_string() +
                           ") needs at least " + std::to_string(kMinIpv6Mtu) + " bytes");
}

}  // namespace

Inside read_inside(const toml::table& root, Report& report) {
  const Section section(root, "inside", report);
  Inside to;
  check_device(section);
  section.text("name", to.name, parse_interface_name,
               "an interface name is 1 to 15 visible characters without / : and %");
  section.number("mtu", to.mtu, {576, 9000}, "the MTU is 576 to 9000 bytes");
  section.number("queues", to.queues, {1, 64}, "1 to 64 queues are possible");
  section.boolean("offloads", to.offloads);
  return to;
}

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

void check_mtus(const toml::table& root, const Config& config, Report& report) {
  check_ipv6_inside(Section(root, "inside", report), config);
  const bool v6 = is_outside_v6(config);
  const unsigned overhead = v6 ? kOverheadV6 : kOverheadV4;
  if (config.inside.mtu + overhead <= config.outside.mtu) return;
  const std::string largest = std::to_string(config.outside.mtu - overhead);
  const Section inside(root, "inside", report);
  const Section outside(root, "outside", report);
  const Section& at = inside.find("mtu") != nullptr ? inside : outside;
  report.warning(at.place("mtu"), "inside.mtu",
                 "is " + std::to_string(config.inside.mtu) + "; a sealed packet over " +
                     (v6 ? "IPv6" : "IPv4") + " is " + std::to_string(overhead) +
                     " bytes larger and would be fragmented on outside.mtu " +
                     std::to_string(config.outside.mtu) + "; at most " + largest + " fits");
}

}  // namespace magnetar::config
