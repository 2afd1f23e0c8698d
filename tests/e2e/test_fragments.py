# SPDX-License-Identifier: Apache-2.0
"""Nebula packets whose outer IP packet comes in fragments: the kernel puts them together, and they arrive
as those do that came whole."""

import random
import socket
import struct

import pytest

from lab.lab import GATEWAY, HOST
from lab.metrics import assert_balanced
from lab.process import run
from lab.traffic import iperf3, ping, udp_socket

BIG = 1200  # bytes of a ping: its outer packet is larger than either MTU
MTU = {4: 800, 6: 1280}  # of the host's way to the gateway
FLOOD = 20_000


def start(lab, backend, family, workers=1):
    lab.network.add("gateway", "host")
    lab.network.connect()
    outside = {"backend": backend}
    if backend == "vdev":
        space = lab.space("gateway")
        space.ip("address", "flush", "dev", "eth1")
        space.run("sysctl", "-qw", "net.ipv4.conf.eth1.arp_ignore=1", "net.ipv4.conf.eth1.rp_filter=1",
                  "net.ipv6.conf.eth1.disable_ipv6=1")
        outside = {"port": "net_af_packet0,iface=eth1", "addresses": ["192.0.2.1/24", "2001:db8::1/64"]}
    gateway = lab.gateway("gateway", GATEWAY, outside=outside,
                          static={HOST: [lab.network.endpoint("host", family=family)]},
                          workers={"cores": [0, 1][:workers], "control_core": 0}).start()
    host = lab.host("host", HOST,
                    static={GATEWAY: [lab.network.endpoint("gateway", family=family)]}).start()
    narrow(host.space, family)
    return gateway, host


def narrow(space, family):
    """What leaves by `eth1` and does not fit is cut: Nebula leaves that to its kernel."""
    network = {4: "192.0.2.0/24", 6: "2001:db8::/64"}[family]
    space.ip(f"-{family}", "route", "replace", network, "dev", "eth1", *(["metric", "256"] * (family == 6)),
             "mtu", "lock", MTU[family])


def fragments_sent(space, family):
    if family == 6:
        rows = dict(line.split() for line in space.run("cat", "/proc/net/snmp6").stdout.splitlines())
        return int(rows["Ip6FragCreates"])
    names, numbers = (line.split() for line in space.run("cat", "/proc/net/snmp").stdout.splitlines()[:2])
    return int(dict(zip(names, numbers))["FragCreates"])


CASES = [("udp", 4), ("udp", 6), ("af_xdp", 4), ("af_xdp", 6), ("af_packet", 4), ("vdev", 4), ("vdev", 6)]
EACH = pytest.mark.parametrize("backend,family", CASES, ids=lambda value: str(value))


@EACH
def test_packets_that_come_in_fragments_arrive(lab, backend, family, figure):
    """Fails when a packet is lost because its outer packet was cut, or comes twice."""
    gateway, host = start(lab, backend, family)
    before = fragments_sent(host.space, family)
    assert ping(host.space, GATEWAY, count=5).lost == 0  # the tunnel is up
    assert ping(host.space, GATEWAY, count=50, size=BIG).lost == 0
    assert fragments_sent(host.space, family) >= before + 100, "they left in one piece"
    rate = iperf3(host.space, gateway.space, GATEWAY, lab.directory / "iperf3.log")
    figure("TCP in fragments", f"{rate / 1e6:.0f} Mb/s")
    assert rate > 5e6
    assert not {why for why in ("replayed", "forged", "malformed_outer")
                if gateway.metrics().drops()[why]}
    assert_balanced(gateway)


@pytest.mark.parametrize("backend", ["af_xdp", "vdev"])
def test_they_reach_two_workers(lab, backend):
    """One queue for two workers: what was put together is dealt out as what came whole."""
    gateway, host = start(lab, backend, 6, workers=2)
    assert ping(host.space, GATEWAY, count=5).lost == 0
    assert ping(host.space, GATEWAY, count=50, size=BIG).lost == 0
    assert iperf3(host.space, gateway.space, GATEWAY, lab.directory / "iperf3.log") > 5e6
    assert_balanced(gateway)


@pytest.mark.parametrize("backend", ["af_xdp", "vdev"])
def test_what_the_kernel_has_for_others_stays_out(lab, backend):
    """Datagrams to the port that are not for us: to a broadcast address, by another interface. Fails when
    a pipeline gets what the kernel has had of the worker, or has from elsewhere."""
    gateway, host = start(lab, backend, 4)
    assert ping(host.space, GATEWAY, count=5).lost == 0
    with udp_socket(host.space) as sender, udp_socket(gateway.space) as local:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        for _ in range(100):
            sender.sendto(bytes(1600), ("192.0.2.255", 4242))  # in two, which only the kernel joins
            local.sendto(bytes(1400), ("127.0.0.1", 4242))
    assert ping(host.space, GATEWAY, count=20, size=BIG).lost == 0
    assert_balanced(gateway)  # waits until the counters stand still
    metrics = gateway.metrics()
    if backend == "vdev":  # each broadcast once, and a few of ARP and its like
        assert 100 <= metrics.by("magnetar_punted_packets_total", "kind")["kernel"] < 150
    else:
        assert not metrics.drops()["not_ours"]


def first_fragments(family, source, destination, count):
    """Of datagrams whose rest never comes."""
    for _ in range(count):
        text = struct.pack("!HHHH", 4242, 4242, 1400, 0) + random.randbytes(760)
        assert family == 4
        yield (struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(text), random.getrandbits(16), 0x2000, 64,
                           socket.IPPROTO_UDP, 0) +
               socket.inet_aton(source) + socket.inet_aton(destination) + text)


def resident(gateway):
    status = run(["cat", f"/proc/{gateway.pid()}/status"]).stdout
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) << 10


@pytest.mark.parametrize("backend", ["af_xdp", "udp", "af_packet", "vdev"])
def test_a_flood_of_first_fragments_costs_nothing_that_lasts(lab, backend):
    """Memory stays as it is, the kernel's within its bound, and an established tunnel unharmed."""
    gateway, host = start(lab, backend, 4)
    assert ping(host.space, GATEWAY, count=20).lost == 0
    before = resident(gateway)
    with host.space.entered():
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    to = lab.network.address("gateway")
    with raw:
        for number, packet in enumerate(first_fragments(4, lab.network.address("host"), to, FLOOD)):
            raw.sendto(packet, (to, 0))
            if number % (FLOOD // 20) == 0:
                assert ping(host.space, GATEWAY, count=2).lost == 0
    bound = int(gateway.space.run("sysctl", "-n", "net.ipv4.ipfrag_high_thresh").stdout)
    line = next(line for line in gateway.space.run("cat", "/proc/net/sockstat").stdout.splitlines()
                if line.startswith("FRAG"))
    assert int(line.split()[-1]) < bound + 65536  # it looks before it adds the next one
    assert resident(gateway) < before + (8 << 20)
    assert ping(host.space, GATEWAY, count=50).lost == 0
    assert_balanced(gateway)
