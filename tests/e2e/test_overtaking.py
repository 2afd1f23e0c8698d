# SPDX-License-Identifier: Apache-2.0
"""Case 2 under load, with real peers: what leaves the gateway leaves in the order that peers need."""

import contextlib

import pytest

from lab.lab import GATEWAY, HOST
from lab.metrics import assert_balanced
from lab.middlebox import Kind, Middlebox, stage_1
from lab.nebula import DEBIAN
from lab.traffic import Stream
from lab.wire import RECV_ERROR


@pytest.mark.parametrize("peer_version", [DEBIAN, "1.9.3", "1.11.0"], indirect=True)
def test_s17_a_loser_under_load_sends_nothing_ahead_of_its_stage_2(lab, peer_version):
    """Two workers, and packets that keep coming while the gateway stands down. Fails when a worker
    sends data of the new tunnel before the peer can know it: recv_error would end it."""
    lab.network.add("gateway", "host")
    space = lab.network.connect_to_middlebox(queues=2)
    addresses = {lab.network.address(role): role for role in lab.network.nodes}
    gateway = lab.gateway("gateway", GATEWAY,
                          static={HOST: [lab.network.endpoint("host")]},
                          workers={"cores": [0, 1]}, outside={"queues": 2},
                          inside={"queues": 2}).start()
    host = lab.host("host", HOST, version=peer_version,
                    static={GATEWAY: [lab.network.endpoint("gateway")]}).start()
    with contextlib.closing(Middlebox(space, addresses)) as box, contextlib.ExitStack() as open_:
        ours, theirs = box.hold(stage_1("gateway")), box.hold(stage_1("host"))
        # Several flows: each worker has some.
        out = [open_.enter_context(Stream(gateway.space, host.space, HOST, port))
               for port in range(7000, 7006)]
        back = open_.enter_context(Stream(host.space, gateway.space, GATEWAY))
        for stream in [*out, back]:
            stream.send(5)
        ours.wait()
        theirs.release_first()
        for _ in range(10):
            for stream in out:
                stream.send(1)
        for stream in [*out, back]:
            stream.assert_each_once()
        assert box.seen(Kind(RECV_ERROR)) == []
        assert_balanced(gateway)
        ours.discard()
        gateway.stop()
