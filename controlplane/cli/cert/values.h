// SPDX-License-Identifier: Apache-2.0
// What flags hold, as values. Each function names the flag in its errors. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/cli/cert/problem.h"
#include "controlplane/crypto/curve.h"
#include "dataplane/base/addr.h"
#include "dataplane/base/result.h"
#include "dataplane/base/time.h"

namespace magnetar::cli::cert {

// "8760h", "1h30m", "90.5s": as Go reads durations. Units: h, m, s, ms, us, ns.
[[nodiscard]] Result<Duration, Problem> duration_of(std::string_view flag, std::string_view text);

// "a, b,,c": without the blanks around each and without empty ones.
[[nodiscard]] std::vector<std::string> list_of(std::string_view text);

// "10.42.0.1/16,fd00::1/64". Host bits are kept.
[[nodiscard]] Result<std::vector<Prefix>, Problem> networks_of(std::string_view flag,
                                                               std::string_view text);

// "25519" and its other names, or "P256".
[[nodiscard]] Result<Curve, Problem> curve_of(std::string_view text);

// A decimal number from `least` to `most`.
[[nodiscard]] Result<std::uint32_t, Problem> number_of(std::string_view flag, std::string_view text,
                                                       std::uint32_t least, std::uint32_t most);

// `from` and so much later in full seconds, as certificates have them.
struct Validity {
  WallTime not_before;
  WallTime not_after;
};
[[nodiscard]] Result<Validity, Problem> validity_from(WallTime from, Duration lifetime);
[[nodiscard]] WallTime full_seconds(WallTime time);

}  // namespace magnetar::cli::cert
