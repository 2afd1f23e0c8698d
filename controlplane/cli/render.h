// SPDX-License-Identifier: Apache-2.0
// The gateway's answers as text for people. Takes what a gateway of another version may send: a
// field that is missing or of another type is shown as "-" or 0. Pure.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace magnetar::cli {

[[nodiscard]] std::string render_status(const nlohmann::json& status);
// A table.
[[nodiscard]] std::string render_tunnels(const nlohmann::json& tunnels);
// Every field of each.
[[nodiscard]] std::string render_tunnel_details(const nlohmann::json& tunnels);
// The highest rate first, then the largest total; only reasons that occurred unless `all`.
[[nodiscard]] std::string render_drops(const nlohmann::json& drops, bool all);
[[nodiscard]] std::string render_runtime(const nlohmann::json& runtime);
[[nodiscard]] std::string render_reload(const nlohmann::json& reload);
[[nodiscard]] std::string render_close(const nlohmann::json& closed);

}  // namespace magnetar::cli
