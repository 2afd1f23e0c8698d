// SPDX-License-Identifier: Apache-2.0
// What [pki] says of certificates to an operator.
#pragma once

#include <string>

#include "controlplane/pki/ca_pool.h"

namespace magnetar::config {

[[nodiscard]] std::string rfc3339(WallTime time);

// The certificate's name in quotes.
[[nodiscard]] std::string named(const pki::Certificate& certificate);

// " expired at ..." or " is not valid before ...", with today's date for whoever has a wrong clock;
// empty when the certificate is valid.
[[nodiscard]] std::string date_problem(const pki::Certificate& certificate, WallTime now);

// Why our own certificate, which `subject` names, is refused, with the names an operator needs to
// mend it.
[[nodiscard]] std::string refusal(const std::string& subject, const pki::Certificate& own,
                                  const pki::CaPool& cas, pki::VerifyError error);

}  // namespace magnetar::config
