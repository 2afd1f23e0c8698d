// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/render.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "controlplane/cli/fields.h"
#include "controlplane/cli/table.h"
#include "controlplane/cli/units.h"

namespace magnetar::cli {
namespace {

using nlohmann::json;
using Column = Table::Column;
constexpr auto kRight = Table::Align::kRight;

constexpr std::int64_t kSoonDays = 14;

// "name   value", the names padded to one width.
std::string pair_line(std::string_view name, const std::string& value) {
  return fmt::format("{:<15}{}\n", name, value);
}

std::string validity(const json& certificate) {
  const json& field_days = field(certificate, "days_left");
  const auto days = field_days.is_number_integer() ? field_days.get<std::int64_t>() : 0;
  const std::string until = text_of(certificate, "expires");
  if (days < 0) return fmt::format("EXPIRED on {}", until);
  const std::string left =
      fmt::format("{} {} left, until {}", grouped(static_cast<std::uint64_t>(days)),
                  days == 1 ? "day" : "days", until);
  return days < kSoonDays ? fmt::format("EXPIRES SOON: {}", left) : left;
}

std::string port_line(const json& port) {
  std::string line =
      fmt::format("{} ({}), {}, mtu {}, {} {}", text_of(port, "name"), text_of(port, "backend"),
                  joined(port, "addresses"), count_of(port, "mtu"), count_of(port, "queues"),
                  count_of(port, "queues") == 1 ? "queue" : "queues");
  if (field(port, "mac").is_string()) line += ", " + text_of(port, "mac");
  if (field(port, "offloads").is_string()) line += ", offloads: " + text_of(port, "offloads");
  if (count_of(port, "rx_missed") > 0)
    line += fmt::format(", {} packets missed", grouped(count_of(port, "rx_missed")));
  line = pair_line(text_of(port, "side"), line);
  if (field(port, "note").is_string()) line += pair_line("", text_of(port, "note"));
  return line;
}

// What follows the name of an endpoint: where it is and how it is reached.
std::string path_of(const json& tunnel) {
  const bool relayed = field(tunnel, "relay").is_string();
  return relayed ? fmt::format("via {}", text_of(tunnel, "relay")) : text_of(tunnel, "remote");
}

std::string traffic(const json& tunnel, const char* packets, const char* amount) {
  return fmt::format("{} packets, {}", grouped(count_of(tunnel, packets)),
                     bytes(count_of(tunnel, amount)));
}

std::string index_text(const json& tunnel, const char* key) {
  return field(tunnel, key).is_number() ? fmt::format("{:#010x}", count_of(tunnel, key)) : "-";
}

std::string one_tunnel(const json& tunnel) {
  const std::string opened = is_true(tunnel, "initiator") ? "us" : "the peer";
  const std::string age = duration(number_of(tunnel, "established_s"));
  const bool up = text_of(tunnel, "state") == "up";
  std::string out;
  out += pair_line("address", joined(tunnel, "overlay_addresses"));
  out += pair_line("name", text_of(tunnel, "name"));
  out += pair_line("groups", joined(tunnel, "groups"));
  const std::string state = up ? fmt::format("up for {}", age) : text_of(tunnel, "state");
  const std::string spare = up && !is_true(tunnel, "primary") ? ", spare" : "";
  out += pair_line("state", fmt::format("{}, opened by {}{}", state, opened, spare));
  out += pair_line("remote", text_of(tunnel, "remote"));
  out += pair_line("relay", text_of(tunnel, "relay"));
  out +=
      pair_line("indexes", fmt::format("ours {}, the peer's {}", index_text(tunnel, "local_index"),
                                       index_text(tunnel, "remote_index")));
  out += pair_line("cipher", text_of(tunnel, "cipher"));
  out += pair_line("certificate", text_of(tunnel, "cert_fingerprint"));
  out += pair_line("expires", text_of(tunnel, "cert_expires"));
  out += pair_line("received", traffic(tunnel, "rx_packets", "rx_bytes"));
  out += pair_line("sent", traffic(tunnel, "tx_packets", "tx_bytes"));
  out += pair_line("counter", grouped(count_of(tunnel, "tx_counter")));
  return out;
}

}  // namespace

std::string render_status(const json& status) {
  std::string out =
      fmt::format("magnetar {}, up {} (DPDK {}, ipsec-mb {})\n", text_of(status, "version"),
                  duration(number_of(status, "uptime_s")), text_of(status, "dpdk_version"),
                  text_of(status, "ipsec_mb_version"));
  out += pair_line("overlay", joined(status, "overlay_addresses"));
  const json& certificate = field(status, "certificate");
  out += pair_line("certificate", text_of(certificate, "name") + ", " + validity(certificate));
  for (const json& ca : field(status, "cas"))
    out += pair_line("authority", text_of(ca, "name") + ", " + validity(ca));
  for (const json& port : field(status, "ports")) out += port_line(port);
  for (const json& worker : field(status, "workers")) {
    out += pair_line("worker " + std::to_string(count_of(worker, "worker")),
                     fmt::format("core {}, {} busy", count_of(worker, "core"),
                                 percent(number_of(worker, "busy_ratio"))));
  }
  const json& tunnels = field(status, "tunnels");
  out += pair_line("tunnels", fmt::format("{} up, {} pending", grouped(count_of(tunnels, "up")),
                                          grouped(count_of(tunnels, "pending"))));
  const json& reload = field(status, "last_reload");
  const std::string_view loaded =
      is_true(reload, "successful") ? "loaded" : "LAST RELOAD FAILED; in use is the one loaded";
  out += pair_line("configuration", fmt::format("{} {}", loaded, text_of(reload, "at")));
  return out;
}

std::string render_tunnels(const json& tunnels) {
  Table table({{"ADDRESS"},
               {"NAME"},
               {"STATE"},
               {"REMOTE"},
               {"AGE", kRight},
               {"RX PACKETS", kRight},
               {"RX BYTES", kRight},
               {"TX PACKETS", kRight},
               {"TX BYTES", kRight}});
  for (const json& tunnel : tunnels) {
    const bool up = text_of(tunnel, "state") == "up";
    table.add({joined(tunnel, "overlay_addresses"), text_of(tunnel, "name"),
               text_of(tunnel, "state"), path_of(tunnel),
               up ? duration(number_of(tunnel, "established_s")) : "-",
               grouped(count_of(tunnel, "rx_packets")), bytes(count_of(tunnel, "rx_bytes")),
               grouped(count_of(tunnel, "tx_packets")), bytes(count_of(tunnel, "tx_bytes"))});
  }
  return table.empty() ? "no tunnels\n" : table.text();
}

std::string render_tunnel_details(const json& tunnels) {
  std::string out;
  for (const json& tunnel : tunnels) {
    if (!out.empty()) out += '\n';
    out += one_tunnel(tunnel);
  }
  return out.empty() ? "no tunnel to this address\n" : out;
}

std::string render_drops(const json& drops, bool all) {
  std::vector<const json*> rows;
  for (const json& drop : drops)
    if (all || count_of(drop, "total") > 0) rows.push_back(&drop);
  std::ranges::stable_sort(rows, std::greater{}, [](const json* drop) {
    return std::pair(number_of(*drop, "per_second"), count_of(*drop, "total"));
  });
  Table table({{"REASON"}, {"PLANE"}, {"PER SECOND", kRight}, {"TOTAL", kRight}, {"MEANING"}});
  for (const json* drop : rows) {
    table.add({text_of(*drop, "reason"), text_of(*drop, "plane"),
               rate(number_of(*drop, "per_second")), grouped(count_of(*drop, "total")),
               text_of(*drop, "text")});
  }
  return table.empty() ? "no packet was dropped\n" : table.text();
}

std::string render_runtime(const json& runtime) {
  std::string out;
  for (const json& worker : field(runtime, "workers")) {
    if (!out.empty()) out += '\n';
    out += fmt::format("worker {} on core {}: {} busy, {} idle\n", count_of(worker, "worker"),
                       count_of(worker, "core"), percent(number_of(worker, "busy_ratio")),
                       percent(number_of(worker, "idle_ratio")));
    Table table({{"PIPELINE"},
                 {"STAGE"},
                 {"PACKETS", kRight},
                 {"VECTORS", kRight},
                 {"PACKETS/VECTOR", kRight},
                 {"CYCLES/PACKET", kRight}});
    for (const json& stage : field(worker, "stages")) {
      table.add({text_of(stage, "pipeline"), text_of(stage, "stage"),
                 grouped(count_of(stage, "packets")), grouped(count_of(stage, "vectors")),
                 fmt::format("{:.1f}", number_of(stage, "packets_per_vector")),
                 fmt::format("{:.0f}", number_of(stage, "cycles_per_packet"))});
    }
    if (!table.empty()) out += table.text();
  }
  return out.empty() ? "no workers\n" : out;
}

std::string render_reload(const json& reload) {
  std::string out;
  for (const json& change : field(reload, "changed")) out += text_of(change) + "\n";
  return out.empty() ? "reloaded; nothing changed\n" : out;
}

std::string render_close(const json& closed) {
  return fmt::format("closed the tunnel to {}\n", text_of(closed, "closed"));
}

}  // namespace magnetar::cli
