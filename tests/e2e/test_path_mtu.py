# SPDX-License-Identifier: Apache-2.0
"""A path that carries less than the gateway's port, and says so to nobody: outside.path_mtu = "probe"."""

import pytest

from lab.lab import GATEWAY, HOST, PEERS
from lab.metrics import assert_balanced
from lab.nebula import DEBIAN, TODAY, binary
from lab.process import run, wait_for
from lab.traffic import iperf3, ping

INSIDE = 1440
# A veth of MTU 1400 loses larger frames without a word, but lets a VLAN tag's 4 bytes pass.
NARROW, MOST_FOUND = 1400, 1404


def start(lab, backend, version=DEBIAN, path_mtu="probe"):
    if not binary(version, PEERS):
        raise FileNotFoundError(f"nebula {version}: tests/e2e/fetch-peers gets it")
    lab.network.add("gateway", "host")
    lab.network.connect()
    gateway = lab.gateway("gateway", GATEWAY, static={HOST: [lab.network.endpoint("host")]},
                          outside={"backend": backend, "path_mtu": path_mtu},
                          inside={"mtu": INSIDE}).start()
    host = lab.host("host", HOST, version=version,
                    static={GATEWAY: [lab.network.endpoint("gateway")]}).start()
    host.space.ip("link", "set", "eth1", "mtu", NARROW)
    assert ping(gateway.space, HOST, count=2).lost == 0
    return gateway, host


def path_mtu(gateway):
    return gateway.tunnels()[0]["path_mtu"]


def ping_whole(space, size):
    """One packet of `size` bytes that nobody may cut."""
    return run(space.command("ping", "-4", "-M", "do", "-c", "1", "-W", "2", "-s", size - 28, HOST),
               check=False)


@pytest.mark.parametrize("backend", ["udp", "af_xdp", "af_packet"])
def test_what_the_path_carries_is_found(lab, backend, figure):
    gateway, host = start(lab, backend)
    wait_for(lambda: NARROW <= path_mtu(gateway) <= MOST_FOUND, "the path's MTU to be found", 60)
    found = path_mtu(gateway)
    figure("found", f"{found} bytes")
    done = ping_whole(gateway.space, found - 60 + 1)
    assert f"Frag needed and DF set (mtu = {found - 60})" in done.stdout, done.stdout + done.stderr
    assert "1 received" in ping_whole(gateway.space, found - 60).stdout
    assert iperf3(gateway.space, host.space, HOST, lab.directory / "iperf3.log") > 5e6
    assert_balanced(gateway)


@pytest.mark.usefixtures("today")
def test_the_newest_nebula_answers_too(lab):
    gateway, _ = start(lab, "udp", TODAY)
    wait_for(lambda: NARROW <= path_mtu(gateway) <= MOST_FOUND, "the path's MTU to be found", 60)


def test_by_default_nobody_is_asked(lab):
    """Fails when this lab's path carries everything after all, or something is sent that was not asked for."""
    gateway, _ = start(lab, "udp", path_mtu="fixed")
    assert "0 received" in ping_whole(gateway.space, INSIDE).stdout, "the path is no black hole"
    assert path_mtu(gateway) == 1500
