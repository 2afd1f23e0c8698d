// SPDX-License-Identifier: Apache-2.0
// The tables of the configuration, one function each. Each reports what is wrong and returns the
// defaults for it, so that the others still get their turn.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <toml++/toml.h>

#include "controlplane/config/report.h"
#include "controlplane/config/schema.h"

namespace magnetar::config {

inline constexpr std::uint16_t kMinIpv6Mtu = 1280;  // RFC 8200 section 5

// What the kernel takes as the name of an interface.
[[nodiscard]] bool is_interface_name(std::string_view text);

// An interface name, a PCI address, or a DPDK vdev with its arguments.
[[nodiscard]] std::optional<Port> parse_port(std::string_view text);
// An address of ours with the length of its network.
[[nodiscard]] std::optional<Prefix> parse_own_address(std::string_view text);

// [pki], with the files it names. None when there is not enough to make an identity of.
[[nodiscard]] std::shared_ptr<const Identity> read_identity(const toml::table& root,
                                                            const std::filesystem::path& directory,
                                                            WallTime now, Report& report);
[[nodiscard]] Outside read_outside(const toml::table& root, Report& report);
[[nodiscard]] Inside read_inside(const toml::table& root, Report& report);
// `cpus`: how many the machine has.
[[nodiscard]] Workers read_workers(const toml::table& root, unsigned cpus, Report& report);
// `identity` may be none: static addresses are then not compared with our own.
[[nodiscard]] Tunnels read_tunnels(const toml::table& root, const Identity* identity,
                                   Report& report);
[[nodiscard]] Handshake read_handshake(const toml::table& root, Report& report);
void read_metrics(const toml::table& root, Config& config, Report& report);
void read_control(const toml::table& root, Config& config, Report& report);
void read_log(const toml::table& root, Config& config, Report& report);

// Refuses an inside that is the outside, or too small for IPv6 addresses of ours; warns when a full
// inside packet does not fit into one outside packet.
void check_mtus(const toml::table& root, const Config& config, Report& report);

}  // namespace magnetar::config
