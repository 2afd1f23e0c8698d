// SPDX-License-Identifier: Apache-2.0
// What a CA may give out, told in the words of the flags. pki::sign() refuses the same, in fewer
// words. Pure.
#pragma once

#include "controlplane/cli/cert/problem.h"
#include "controlplane/pki/certificate.h"
#include "controlplane/pki/issue.h"
#include "dataplane/base/result.h"

namespace magnetar::cli::cert {

[[nodiscard]] Result<void, Problem> check_limits(const pki::Request& request,
                                                 const pki::Certificate& ca);

}  // namespace magnetar::cli::cert
