# SPDX-License-Identifier: Apache-2.0
"""A gateway without traffic gives back its cores, and takes them again with the first packet."""

import os
import time

import pytest

from lab.lab import GATEWAY, HOST, pair
from lab.metrics import assert_balanced
from lab.process import wait_for
from lab.traffic import ping

TWO_WORKERS = {"cores": [0, 1], "control_core": 0}
TICKS = os.sysconf("SC_CLK_TCK")
MOST_IDLE = 0.03  # of a core, for the whole process


def cpu_seconds(gateway):
    with open(f"/proc/{gateway.pid()}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@pytest.mark.parametrize("backend,workers", [
    ("af_packet", {}), ("af_xdp", {}), ("af_packet", TWO_WORKERS), ("af_xdp", TWO_WORKERS)],
    ids=["af_packet", "af_xdp", "two-workers-af_packet", "two-workers-af_xdp"])
def test_no_traffic_no_burnt_core(lab, backend, workers, figure):
    gateway, host = pair(lab, outside={"backend": backend}, workers=workers)
    assert ping(host.space, GATEWAY, count=5).lost == 0
    began, used = time.monotonic(), cpu_seconds(gateway)
    # Each of these finds the workers asleep; long pauses, so that what is measured is the sleep.
    pings = ping(host.space, GATEWAY, count=6, interval=0.5)
    back = ping(gateway.space, HOST, count=2, interval=0.5)
    share = (cpu_seconds(gateway) - used) / (time.monotonic() - began)
    figure("while it idles", f"{share:.1%} of a core; pings: {pings}")
    assert pings.lost == 0 and back.lost == 0
    assert share < MOST_IDLE
    assert_balanced(gateway)


def join(space, *interfaces):
    """A bridge of them, which keeps no frame: their own addresses are none that anybody uses."""
    space.ip("link", "add", "br0", "type", "bridge")
    for number, interface in enumerate(interfaces):
        space.ip("link", "set", interface, "address", f"02:00:5e:00:53:{number:02x}")
        space.ip("link", "set", interface, "master", "br0", "up")
    space.ip("link", "set", "br0", "up")


def test_a_port_of_dpdks_wakes_its_worker(lab, figure):
    """A TAP of DPDK's stands for a NIC with receive interrupts."""
    lab.network.add("gateway", "host")
    lab.network.connect()
    space = lab.space("gateway")
    space.ip("address", "flush", "dev", "eth1")
    gateway = lab.gateway(
        "gateway", GATEWAY, static={HOST: [lab.network.endpoint("host")]},
        outside={"port": "net_tap0,iface=wire0", "addresses": ["192.0.2.1/24"]}).start()
    join(space, "eth1", "wire0")
    host = lab.host("host", HOST, static={GATEWAY: [lab.network.endpoint("gateway")]}).start()
    note = next(port["note"] for port in gateway.ask("status")["ports"] if port["side"] == "outside")
    assert "idle workers wait for its receive interrupts" in note
    wait_for(lambda: ping(host.space, GATEWAY, count=1).lost == 0, "a tunnel", 20)
    began, used = time.monotonic(), cpu_seconds(gateway)
    pings = ping(host.space, GATEWAY, count=6, interval=0.5)
    back = ping(gateway.space, HOST, count=2, interval=0.5)
    share = (cpu_seconds(gateway) - used) / (time.monotonic() - began)
    figure("while it idles", f"{share:.1%} of a core; pings: {pings}")
    assert pings.lost == 0 and back.lost == 0
    assert share < MOST_IDLE
    assert_balanced(gateway)


def test_a_worker_that_polls_never_sleeps(lab):
    gateway, host = pair(lab, workers={"idle": "poll"})
    assert ping(host.space, GATEWAY, count=5).lost == 0
    used = cpu_seconds(gateway)
    began = time.monotonic()
    assert ping(host.space, GATEWAY, count=3, interval=0.3).lost == 0
    share = (cpu_seconds(gateway) - used) / (time.monotonic() - began)
    assert share > 10 * MOST_IDLE, "or the other test shows nothing"
