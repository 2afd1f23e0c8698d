// SPDX-License-Identifier: Apache-2.0
// sd_notify(3) without libsystemd: tells the service manager in NOTIFY_SOCKET how the daemon is.
// Every function is a no-op when that is not set, and never blocks. Control thread.
#pragma once

#include <string_view>

#include "dataplane/base/time.h"

namespace magnetar::ops {

void notify_ready();
void notify_stopping();
// notify_ready() ends the reload. `now` is CLOCK_MONOTONIC: systemd orders reloads by it.
void notify_reloading(Instant now);
// One line for `systemctl status`.
void notify_status(std::string_view text);

// Sends `state` as it is. False: nobody listens, or the socket refused it.
bool notify(std::string_view state);

}  // namespace magnetar::ops
