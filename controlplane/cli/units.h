// SPDX-License-Identifier: Apache-2.0
// Numbers as people read them at three in the morning. Pure.
#pragma once

#include <cstdint>
#include <string>

namespace magnetar::cli {

// "12,345,678"
[[nodiscard]] std::string grouped(std::uint64_t number);

// "0 B", "1,023 B", "1.0 KiB", "12.3 GiB"
[[nodiscard]] std::string bytes(std::uint64_t number);

// The two largest units: "0s", "59s", "3m05s", "3h12m", "5d04h"
[[nodiscard]] std::string duration(double seconds);

// "0", "0.2", "12.3", "1,234": enough digits to compare, no more
[[nodiscard]] std::string rate(double per_second);

// "12.3 %" of a ratio between 0 and 1
[[nodiscard]] std::string percent(double ratio);

}  // namespace magnetar::cli
