// SPDX-License-Identifier: Apache-2.0
// A snapshot as Prometheus metric families, named as the contract has them. Pure.
#pragma once

#include <vector>

#include <prometheus/metric_family.h>

#include "controlplane/ops/snapshot.h"

namespace magnetar::ops {

// Every series that a dashboard may ask for is there from the first scrape on, with 0: each drop
// reason of the data plane, each kind of punted packet, both tunnel states. Reasons of the control
// plane are those that the snapshot lists. No series comes twice, whatever the snapshot holds.
[[nodiscard]] std::vector<prometheus::MetricFamily> metric_families(const Snapshot& snapshot);

}  // namespace magnetar::ops
