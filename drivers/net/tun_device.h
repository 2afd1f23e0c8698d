// SPDX-License-Identifier: Apache-2.0
// Opens TUN and TAP devices: the part that the inside port and the twin share. Start-up only.
#pragma once

#include <string>

#include "dataplane/base/result.h"
#include "drivers/eal.h"
#include "drivers/net/os_error.h"

namespace magnetar {

enum class TunKind : unsigned char { kTun, kTap };

// Creates the device `name` (a "%d" in it is filled in by the kernel, and in `name`), non-blocking
// and without packet information. An existing device of that name is an error. It lives as long
// as a descriptor of it.
[[nodiscard]] Result<UniqueFd, DeviceError> create_tun(std::string& name, TunKind kind,
                                                       bool multi_queue);
// One more queue of a device that create_tun made with multi_queue.
[[nodiscard]] Result<UniqueFd, DeviceError> add_tun_queue(const std::string& name, TunKind kind);

}  // namespace magnetar
