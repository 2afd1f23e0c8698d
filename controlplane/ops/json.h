// SPDX-License-Identifier: Apache-2.0
// The answers of the control socket, with the field names of the contract. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "controlplane/ops/snapshot.h"
#include "dataplane/base/result.h"
#include "dataplane/base/time.h"

namespace magnetar::ops {

// {version, dpdk_version, ipsec_mb_version, uptime_s, overlay_addresses, certificate{name,
//  fingerprint, expires, days_left}, cas[...], ports[...], workers[...], tunnels{up, pending},
//  last_reload{successful, at}}
[[nodiscard]] nlohmann::json status_json(const Snapshot& snapshot, WallTime now);

// A list, one element a tunnel; with `address` those of this overlay address only, however it is
// written. What a tunnel does not have (a relay, a certificate while pending) is null.
// The error: `address` is none.
[[nodiscard]] Result<nlohmann::json, std::string> tunnels_json(
    const Snapshot& snapshot, const std::optional<std::string>& address);

// A list {reason, text, plane, total, per_second}, zeroes included, in the snapshot's order.
[[nodiscard]] nlohmann::json drops_json(const Snapshot& snapshot);

// {workers: [{worker, core, busy_ratio, idle_ratio, stages: [{pipeline, stage, packets, vectors,
//  packets_per_vector, cycles_per_packet}]}]}; the two quotients are 0 before the first packet.
[[nodiscard]] nlohmann::json runtime_json(const Snapshot& snapshot);

// {changed: [...]}: one line a change that a reload made.
[[nodiscard]] nlohmann::json reload_json(const std::vector<std::string>& changed);

// {closed: address}
[[nodiscard]] nlohmann::json close_json(const std::string& address);

// On one line (`indent` -1) or pretty. Bytes that are no UTF-8 become U+FFFD.
[[nodiscard]] std::string dump(const nlohmann::json& value, int indent = -1);

}  // namespace magnetar::ops
