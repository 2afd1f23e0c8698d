// SPDX-License-Identifier: Apache-2.0
// What a reload changes. Pure.
#pragma once

#include <string>
#include <vector>

#include "controlplane/config/schema.h"

namespace magnetar::config {

// Keys that differ and cannot change while the gateway runs. A reload that finds one does nothing.
[[nodiscard]] std::vector<std::string> needs_restart(const Config& before, const Config& after);

// Keys that differ and take effect at once: certificates and blocklist, static addresses, the log.
[[nodiscard]] std::vector<std::string> changed_live(const Config& before, const Config& after);

}  // namespace magnetar::config
