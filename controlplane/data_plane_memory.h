// SPDX-License-Identifier: Apache-2.0
// What DPDK and the packet pool are asked for, by the configuration alone.
#pragma once

#include "controlplane/config/schema.h"
#include "dataplane/packet/pool.h"
#include "drivers/eal.h"

namespace magnetar {

[[nodiscard]] EalOptions eal_options(const config::Config& config);
[[nodiscard]] PacketPoolShape packet_pool_shape(const config::Config& config);
// Whether nobody looks for packet buffers in DPDK's memory: then they may lie anywhere.
[[nodiscard]] bool all_ports_are_the_kernels(const config::Config& config);

}  // namespace magnetar
