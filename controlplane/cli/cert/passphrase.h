// SPDX-License-Identifier: Apache-2.0
// The passphrase of a CA's key, from where nebula-cert takes it, too.
#pragma once

#include "controlplane/cli/cert/problem.h"
#include "controlplane/cli/cert/secret_text.h"
#include "dataplane/base/result.h"

namespace magnetar::cli::cert {

// $NEBULA_CA_PASSPHRASE, or what is typed on the terminal that is standard input: asked for on
// standard error, not shown. An empty line is asked again, five times in all.
[[nodiscard]] Result<SecretText, Problem> ask_passphrase();

}  // namespace magnetar::cli::cert
