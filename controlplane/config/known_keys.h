// SPDX-License-Identifier: Apache-2.0
// Every key of the configuration contract, in one table: what may be written, what this version
// does not act on yet, and which key somebody may have meant.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include <toml++/toml.h>

#include "controlplane/config/report.h"

namespace magnetar::config {

enum class KeyKind : std::uint8_t {
  kTable,
  kValue,
  kLater,  // in the contract, refused by this version
};

struct KnownKey {
  std::string_view name;  // dotted, from the root
  KeyKind kind;
  std::string_view example;  // as it may stand in a file; none for kLater
};

inline constexpr std::array kKnownKeys{
    KnownKey{"pki", KeyKind::kTable, "[pki]"},
    KnownKey{"pki.ca", KeyKind::kValue, R"("ca.crt")"},
    KnownKey{"pki.cert", KeyKind::kValue, R"("host.crt")"},
    KnownKey{"pki.key", KeyKind::kValue, R"("host.key")"},
    KnownKey{"pki.blocklist", KeyKind::kValue, R"(["64 hexadecimal digits"])"},
    KnownKey{"pki.disconnect_invalid", KeyKind::kValue, "true"},
    KnownKey{"pki.initiating_version", KeyKind::kValue, "2"},
    KnownKey{"outside", KeyKind::kTable, "[outside]"},
    KnownKey{"outside.port", KeyKind::kValue, R"("eth1")"},
    KnownKey{"outside.backend", KeyKind::kValue, R"("auto")"},
    KnownKey{"outside.addresses", KeyKind::kValue, R"(["192.0.2.10/24"])"},
    KnownKey{"outside.gateway", KeyKind::kValue, R"("192.0.2.1")"},
    KnownKey{"outside.listen_port", KeyKind::kValue, "4242"},
    KnownKey{"outside.mtu", KeyKind::kValue, "1500"},
    KnownKey{"outside.path_mtu", KeyKind::kValue, R"("probe")"},
    KnownKey{"outside.queues", KeyKind::kValue, "1"},
    KnownKey{"inside", KeyKind::kTable, "[inside]"},
    KnownKey{"inside.device", KeyKind::kValue, R"("tun")"},
    KnownKey{"inside.addresses", KeyKind::kValue, R"(["10.50.0.1/24"])"},
    KnownKey{"inside.name", KeyKind::kValue, R"("magnetar0")"},
    KnownKey{"inside.mtu", KeyKind::kValue, "1300"},
    KnownKey{"inside.queues", KeyKind::kValue, "1"},
    KnownKey{"inside.offloads", KeyKind::kValue, "true"},
    KnownKey{"inside.clamp_mss", KeyKind::kValue, "true"},
    KnownKey{"inside.routes", KeyKind::kLater, ""},
    KnownKey{"workers", KeyKind::kTable, "[workers]"},
    KnownKey{"workers.cores", KeyKind::kValue, "[1]"},
    KnownKey{"workers.control_core", KeyKind::kValue, "0"},
    KnownKey{"workers.memory", KeyKind::kValue, R"("auto")"},
    KnownKey{"workers.idle", KeyKind::kValue, R"("adaptive")"},
    KnownKey{"tunnels", KeyKind::kTable, "[tunnels]"},
    KnownKey{"tunnels.cipher", KeyKind::kValue, R"("aes")"},
    KnownKey{"tunnels.max", KeyKind::kValue, "65536"},
    KnownKey{"tunnels.static", KeyKind::kValue, R"({ "10.42.0.1" = ["192.0.2.1:4242"] })"},
    KnownKey{"handshake", KeyKind::kTable, "[handshake]"},
    KnownKey{"handshake.try_interval_ms", KeyKind::kValue, "100"},
    KnownKey{"handshake.retries", KeyKind::kValue, "10"},
    KnownKey{"handshake.queued_packets", KeyKind::kValue, "100"},
    KnownKey{"handshake.max_per_second", KeyKind::kValue, "0"},
    KnownKey{"lighthouse", KeyKind::kLater, ""},
    KnownKey{"punchy", KeyKind::kLater, ""},
    KnownKey{"relay", KeyKind::kLater, ""},
    KnownKey{"firewall", KeyKind::kLater, ""},
    KnownKey{"metrics", KeyKind::kTable, "[metrics]"},
    KnownKey{"metrics.listen", KeyKind::kValue, R"("127.0.0.1:9469")"},
    KnownKey{"metrics.per_peer", KeyKind::kLater, ""},
    KnownKey{"control", KeyKind::kTable, "[control]"},
    KnownKey{"control.socket", KeyKind::kValue, R"("/run/magnetar/control.sock")"},
    KnownKey{"log", KeyKind::kTable, "[log]"},
    KnownKey{"log.level", KeyKind::kValue, R"("info")"},
    KnownKey{"log.format", KeyKind::kValue, R"("text")"},
};

// The row of a dotted name; none when there is no such key.
[[nodiscard]] const KnownKey* find_known(std::string_view name);
// The row somebody who wrote `name` most likely meant: a table for a table, else a key.
[[nodiscard]] const KnownKey& nearest_known(std::string_view name, bool is_table);

// Reports every key of `root` that is unknown or not supported yet, and what should be a table and
// is not.
void check_keys(const toml::table& root, Report& report);

}  // namespace magnetar::config
