// SPDX-License-Identifier: Apache-2.0
// logfmt lines of the control plane.
#pragma once

#include <string>
#include <string_view>

#include "controlplane/action.h"
#include "controlplane/tunnel/refusal.h"
#include "controlplane/tunnel/tunnel.h"

namespace magnetar {

// Within quotes, with quotes, backslashes and control characters escaped: names come from
// certificates and may hold anything.
[[nodiscard]] std::string quoted(std::string_view text);

[[nodiscard]] LogEvent log_tunnel_up(const Tunnel& tunnel);
[[nodiscard]] LogEvent log_tunnel_down(const Tunnel& tunnel, std::string_view why);
[[nodiscard]] LogEvent log_path_mtu(const Tunnel& tunnel, std::uint16_t mtu);
// Debug: a stranger can cause these.
[[nodiscard]] LogEvent log_refused(const UnderlayAddr& from, const pki::Certificate& certificate,
                                   Refusal why);

}  // namespace magnetar
