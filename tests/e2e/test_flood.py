# SPDX-License-Identifier: Apache-2.0
"""Floods of stage 1 from made-up sources, by somebody who has seen one handshake.

In CI at a rate that leaves the peers some of the machine; MAGNETAR_FLOOD=50000 for more. Prints
what share of a steady load arrives while the flood goes on.
"""

import json
import os
import time

import pytest

from lab import wire
from lab.capture import Sniffer
from lab.lab import BUILD, GATEWAY, HOST
from lab.metrics import assert_balanced, changed
from lab.paced import PacedStream
from lab.process import Daemon, wait_for
from lab.traffic import ping

FLOOD = int(os.environ.get("MAGNETAR_FLOOD", "10000"))  # a second
SECONDS = 4
LOAD = int(os.environ.get("MAGNETAR_LOAD", "2000"))  # datagrams of an established tunnel a second, each way
HONEST = "10.42.0.9"
GROWTH = 8 << 20  # bytes: caches that the flood fills, each bounded


def record_stage_1(lab, host):
    """Starts the host and its tunnel; the bytes of its stage 1."""
    with Sniffer(lab.space("host"), "eth1") as sniffer:
        host.start()
        assert ping(host.space, GATEWAY, count=3).lost == 0
        headers = ((seen, wire.Header.parse(seen.payload)) for seen in sniffer.read())
        return next(seen.payload for seen, header in headers
                    if header.type == 0 and header.counter == 1)


class Flood(Daemon):
    """The tool at work, until stop()."""

    def __init__(self, lab, gateway, variant, stage_1):
        [link] = json.loads(gateway.space.run("ip", "-j", "link", "show", "dev", "eth1").stdout)
        recorded = lab.directory / "stage1.hex"
        recorded.write_text(stage_1.hex())
        tool = BUILD / "tests" / "e2e" / "tools" / "stage1_flood"
        super().__init__(
            lab.space("flood").command("sh", "-c", f"{tool} eth1 {link['address']} "
                                       f"{lab.network.address('gateway')} {variant} {FLOOD} 600 "
                                       f"<{recorded}"), lab.directory / "flood.log")


def came(metrics):
    """Stage 1 that reached the gateway, whatever became of it."""
    return sum(metrics.total(f"magnetar_{name}_total", kind="handshake")
               for name in ("punted_packets", "punt_dropped"))


def resident(gateway):
    with open(f"/proc/{gateway.pid()}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) * 1024


def load_for(gateway, host, seconds, meanwhile=lambda: None):
    """What arrived of a steady load both ways, as a share of what was sent."""
    streams = [PacedStream(host.space, gateway.space, GATEWAY, 7000, LOAD, 1000),
               PacedStream(gateway.space, host.space, HOST, 7001, LOAD, 1000)]
    end = time.monotonic() + seconds
    try:
        meanwhile()
        wait_for(lambda: time.monotonic() > end, "the load's time to pass", seconds + 1)
    finally:
        for stream in streams:
            stream.stop()
    return [len(set(stream.received)) / stream.sent for stream in streams]


@pytest.mark.parametrize("variant,limit,reason", [
    ("garbage", 0, "payload_malformed"),
    ("replay", 0, None),  # answered with the cached stage 2
    ("fresh", 0, "stage1_too_old"),
    ("newer", 200, "handshake_rate_limited"),
])
@pytest.mark.parametrize("peer_version", ["1.11.0"], indirect=True)
def test_a_flood_of_stage_1(lab, peer_version, variant, limit, reason, figure):
    lab.network.add("gateway", "host", "flood", "honest")
    lab.network.connect()
    gateway = lab.gateway("gateway", GATEWAY, handshake={"max_per_second": limit}).start()
    static = {GATEWAY: [lab.network.endpoint("gateway")]}
    host = lab.host("host", HOST, version=peer_version, static=static)
    honest = lab.host("honest", HONEST, version=peer_version, static=static).start()
    stage_1 = record_stage_1(lab, host)
    quiet = load_for(gateway, host, SECONDS)
    before, memory = gateway.metrics().drops(), resident(gateway)

    def newcomer():
        flooding = gateway.metrics()
        wait_for(lambda: came(gateway.metrics()) > came(flooding) + FLOOD // 2, "the flood to come")
        begin = time.monotonic()
        wait_for(lambda: ping(honest.space, GATEWAY, count=1, patience=0.5).received,
                 "an honest host to get in", timeout=20)
        figure(f"{variant}: honest host got in after", f"{time.monotonic() - begin:.2f} s")

    flood = Flood(lab, gateway, variant, stage_1)
    try:
        flooded = load_for(gateway, host, SECONDS, newcomer)
    finally:
        flood.stop()
    costs = changed(before, gateway.metrics().drops())
    figure(f"{variant} at {FLOOD}/s: share of the load that arrives, to and from the gateway",
           ", ".join(f"{with_flood / without:.3f}" for with_flood, without in zip(flooded, quiet)))
    if reason:
        assert costs.get(f"control:{reason}", 0) > 0, costs
    assert all(with_flood >= 0.9 * without for with_flood, without in zip(flooded, quiet))
    assert resident(gateway) - memory < GROWTH
    assert ping(host.space, GATEWAY, count=20).lost == 0
    assert_balanced(gateway)
