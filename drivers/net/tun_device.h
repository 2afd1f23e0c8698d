// SPDX-License-Identifier: Apache-2.0
// Opens TUN and TAP devices: the part that the inside port and the twin share. Start-up only.
#pragma once

#include <string>

#include "dataplane/base/result.h"
#include "drivers/eal.h"
#include "drivers/net/os_error.h"

namespace magnetar {

// For a name that has its interface already.
[[nodiscard]] DeviceError name_is_taken(const std::string& name);

enum class TunKind : unsigned char { kTun, kTap };

struct TunFlags {
  TunKind kind = TunKind::kTun;
  bool multi_queue = false;
  bool vnet_header = false;  // a VnetHeader before each packet, both ways
};

// Creates the device `name` (a "%d" in it is filled in by the kernel, and in `name`), non-blocking
// and without packet information. An existing device of that name is an error. It lives as long
// as a descriptor of it.
[[nodiscard]] Result<UniqueFd, DeviceError> create_tun(std::string& name, TunFlags flags);
// One more queue of a device that create_tun made with the same flags, multi_queue among them.
[[nodiscard]] Result<UniqueFd, DeviceError> add_tun_queue(const std::string& name, TunFlags flags);

// What the kernel leaves to the reader of a device with vnet headers, and so takes from its writer.
struct TunOffloads {
  bool checksum = false;
  bool tcp = false;
  bool tcp_ecn = false;
  bool udp = false;
  [[nodiscard]] std::string text() const;  // "checksum, tso4, tso6, ..." or "none"
};
// Asks for as much as this kernel knows. Of a queue's descriptor; holds for the device.
[[nodiscard]] TunOffloads set_tun_offloads(int fd);

}  // namespace magnetar
