// SPDX-License-Identifier: Apache-2.0
// The state of a control plane in a form that does not depend on its random draws (digest.h).
#pragma once

#include "controlplane/tunnel/core.h"

namespace magnetar {

void describe_state(const Core& core, Now now, DigestSink& sink);

}  // namespace magnetar
