# SPDX-License-Identifier: Apache-2.0
"""Packets larger than the tunnel carries: their senders are told, or they go in pieces."""

import socket

import pytest

from lab.capture import SynTap, checksums_right
from lab.inside_lan import GATEWAY as PORT_ADDRESS
from lab.metrics import assert_balanced
from lab.nebula import TODAY
from lab.process import run, wait_for
from lab.traffic import iperf3, ping
from test_ipv6_overlay import GATEWAY, HOST
from test_ipv6_overlay import start as start_pair
from test_routed import KINDS, icmp_error
from test_routed import start as start_routed

pytestmark = pytest.mark.usefixtures("today")

MTU = 1400  # of the wire, by the gateway's configuration, and of both insides
CARRIED = MTU - 60  # of it by a tunnel over IPv4
ECHO = {4: 28, 6: 48}  # headers of an echo request
ROOM = {4: 40, 6: 60}  # headers of TCP


def start(lab, outer=4, **inside):
    gateway, host = start_pair(lab, outer, outside={"mtu": MTU}, inside={"mtu": MTU, **inside},
                               host_settings={"tun": {"dev": "nebula1", "mtu": MTU}})
    for family in (4, 6):  # what waits for the handshake is the control plane's
        assert ping(gateway.space, HOST[family], count=2).lost == 0
    return gateway, host


def path_mtu(space, family):
    """What the kernel of `space` believes of the way to the host."""
    words = space.ip(f"-{family}", "route", "get", HOST[family]).stdout.split()
    return int(words[words.index("mtu") + 1]) if "mtu" in words else None


@pytest.mark.parametrize("offloads", [True, False], ids=["whole", "single"])
@pytest.mark.parametrize("outer,carried", [(4, MTU - 60), (6, MTU - 80)], ids=["over-ipv4", "over-ipv6"])
def test_a_sender_is_told_what_fits(lab, outer, carried, offloads):
    gateway, _ = start(lab, outer, offloads=offloads)
    for family, said in ((4, "Frag needed and DF set (mtu = {})"), (6, "Packet too big: mtu={}")):
        before = gateway.metrics()
        done = run(gateway.space.command("ping", f"-{family}", "-M", "do", "-c", "1", "-W", "2", "-s",
                                         carried + 1 - ECHO[family], HOST[family]), check=False)
        assert said.format(carried) in done.stdout, done.stdout + done.stderr
        assert path_mtu(gateway.space, family) == carried
        assert ping(gateway.space, HOST[family], count=5, size=carried - ECHO[family]).lost == 0
        after = gateway.metrics()
        assert after.drops()["too_big"] - before.drops()["too_big"] == 1
    assert_balanced(gateway)


def test_what_may_be_fragmented_goes_in_pieces(lab):
    """Fails when a piece is lost, or sent and not counted."""
    gateway, host = start(lab)
    before = gateway.metrics()
    done = run(gateway.space.command("ping", "-4", "-M", "dont", "-c", "20", "-i", "0.01", "-s",
                                     MTU - ECHO[4], HOST[4]), check=False)
    assert "20 received" in done.stdout, done.stdout + done.stderr
    after = gateway.metrics()
    assert after.drops()["too_big"] == 0
    assert path_mtu(gateway.space, 4) is None, "nobody had to be told"
    injected = [metrics.total("magnetar_injected_packets_total") for metrics in (before, after)]
    assert 20 <= injected[1] - injected[0] < 30, "one more a packet, and perhaps a test of the tunnel"
    assert int(host.space.run("nstat", "-asz", "IpReasmOKs").stdout.split()[-2]) >= 20
    assert_balanced(gateway)


@pytest.mark.parametrize("family", [4, 6])
def test_tcp_finds_what_fits(lab, family):
    gateway, host = start(lab)
    assert iperf3(gateway.space, host.space, HOST[family], lab.directory / "iperf3.log") > 20e6
    assert path_mtu(gateway.space, family) == CARRIED
    assert gateway.metrics().drops()["too_big"] > 0
    assert_balanced(gateway)


def connect(lab, opener, listener, address):
    with listener.entered():
        server = socket.create_server((address, 7400), reuse_port=True,
                                      family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    with server, opener.entered():
        socket.create_connection((address, 7400), timeout=5).close()


@pytest.mark.parametrize("family", [4, 6])
def test_the_mss_is_lowered_both_ways(lab, family):
    """Fails when the number, or the checksum, is wrong in a SYN or in its answer, and when a reload
    does not change it."""
    gateway, host = start(lab, clamp_mss=True)

    def seen():
        """What each side learned of the other, by who opened."""
        with SynTap(gateway.space, gateway.DEVICE) as ours, SynTap(host.space, "nebula1") as theirs:
            connect(lab, gateway.space, host.space, HOST[family])
            connect(lab, host.space, gateway.space, GATEWAY[family])
            learned = ([syn for syn in ours.read() if syn.source == HOST[family]] +
                       [syn for syn in theirs.read() if syn.source == GATEWAY[family]])
        assert all(checksums_right(syn.whole) for syn in learned)
        return [syn.mss for syn in learned]

    assert seen() == [CARRIED - ROOM[family]] * 4
    assert iperf3(gateway.space, host.space, HOST[family], lab.directory / "iperf3.log") > 20e6
    assert gateway.metrics().drops()["too_big"] == 0, "no segment was too long"
    gateway.settings["inside"]["clamp_mss"] = False
    gateway.write_config()
    assert "inside.clamp_mss" in gateway.command("reload").stdout
    wait_for(lambda: seen() == [MTU - ROOM[family]] * 4, "the MSS to be left alone")
    assert_balanced(gateway)


@KINDS
def test_a_sender_behind_the_gateway_is_told(lab, kind):
    """The port's own address says so. Fails when the error finds no next hop."""
    routed = start_routed(lab, kind, TODAY, inside={"mtu": MTU}, outside={"mtu": MTU}, host_mtu=MTU)
    routed.reach()
    for family in (4, 6):
        who, _, mtu = icmp_error(routed.lan.server, family, HOST[family], size=CARRIED,
                                 dont_fragment=True)
        assert (who, mtu) == (PORT_ADDRESS[family], CARRIED)
    assert routed.gateway.metrics().drops()["too_big"] == 2
    assert_balanced(routed.gateway)
