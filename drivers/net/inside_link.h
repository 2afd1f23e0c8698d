// SPDX-License-Identifier: Apache-2.0
// What an interface gets to be the inside, however it was made. Start-up only.
#pragma once

#include "dataplane/base/result.h"
#include "drivers/eal.h"
#include "drivers/net/inside_port.h"

struct rte_mempool;

namespace magnetar {

// MTU, addresses, up; and silence: no IPv6 of the kernel's own accord.
[[nodiscard]] Result<void, DeviceError> set_up_inside_link(int link_index,
                                                           const InsideOptions& options);

// Error: packets of this MTU, `overhead` bytes before and after them included, do not fit `pool`.
[[nodiscard]] Result<void, DeviceError> check_buffers(const InsideOptions& options,
                                                      rte_mempool* pool, unsigned overhead);

}  // namespace magnetar
