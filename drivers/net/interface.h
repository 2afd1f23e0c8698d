// SPDX-License-Identifier: Apache-2.0
// What a port needs to know of a kernel interface when it opens it. Start-up only.
#pragma once

#include <string>

#include "dataplane/base/addr.h"
#include "dataplane/base/result.h"
#include "drivers/eal.h"

namespace magnetar {

struct InterfaceFacts {
  std::string name;
  unsigned index = 0;
  MacAddr mac{};
  bool up = false;
  unsigned receive_queues = 1;  // that the device spreads its traffic over
  bool segments = true;         // what is to be cut or summed up may be left to it
};

// Error: no such interface, or not an Ethernet one.
[[nodiscard]] Result<InterfaceFacts, DeviceError> interface_facts(const std::string& name);

}  // namespace magnetar
