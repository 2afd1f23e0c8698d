# SPDX-License-Identifier: Apache-2.0
"""Whether this machine has vhost-net, which containers and small virtual machines seldom do."""

import os

import pytest

DEVICE = "/dev/vhost-net"
IS_HERE = os.path.exists(DEVICE)
NEEDS_VHOST = pytest.mark.skipif(not IS_HERE, reason=f"there is no {DEVICE}: modprobe vhost_net")
