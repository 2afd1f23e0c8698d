// SPDX-License-Identifier: Apache-2.0
// Where DPDK's own messages go: to standard error, never to syslog, and the last one is kept so
// that an error of ours can give DPDK's reason. Any thread.
#pragma once

#include <string>
#include <string_view>

namespace magnetar {

// Before rte_eal_init; once a process.
void redirect_eal_log();
// Forgets what was said so far: call before the DPDK function whose failure is to be explained.
void forget_eal_reason();
// What DPDK said last, or `otherwise` when it said nothing.
[[nodiscard]] std::string eal_reason(std::string_view otherwise);

}  // namespace magnetar
