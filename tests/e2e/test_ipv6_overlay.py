# SPDX-License-Identifier: Apache-2.0
"""IPv6 inside and outside, each with either, and what the kernel says on its own in IPv6."""

import contextlib
import re
import socket
import struct

import pytest

from lab.metrics import assert_balanced, changed
from lab.nebula import TODAY
from lab.process import wait_for
from lab.traffic import iperf3, ping, udp_sequence, udp_socket

pytestmark = pytest.mark.usefixtures("today")

GATEWAY = {4: "10.42.0.1", 6: "fd42::1"}
HOST = {4: "10.42.0.2", 6: "fd42::2"}
TWO_WORKERS = {"workers": {"cores": [0, 1]}, "outside": {"queues": 2}, "inside": {"queues": 2}}


def start(lab, outer=4, ours=(), theirs=(), host_settings=None, queues=1, **settings):
    """Both of two addresses. `ours`, `theirs`: networks behind them."""
    authority = lab.new_authority("ca2")
    lab.network.add("gateway", "host")
    lab.network.connect(queues)
    at = {role: [lab.network.endpoint(role, family=outer)] for role in ("gateway", "host")}
    gateway = lab.gateway("gateway", None, static={one: at["host"] for one in HOST.values()},
                          identity=authority.sign("gateway", *GATEWAY.values(), unsafe=ours),
                          **settings).start()
    host = lab.host("host", None, version=TODAY, settings=host_settings,
                    static={one: at["gateway"] for one in GATEWAY.values()},
                    identity=authority.sign("host", *HOST.values(), unsafe=theirs)).start()
    return gateway, host


@pytest.mark.parametrize("inner,outer", [(6, 4), (4, 6), (6, 6)],
                         ids=["ipv6-over-ipv4", "ipv4-over-ipv6", "ipv6-over-ipv6"])
def test_one_family_over_the_other(lab, inner, outer, figure):
    gateway, host = start(lab, outer)
    ours, theirs = GATEWAY[inner], HOST[inner]
    overhead = {4: 28, 6: 48}[inner]  # of an echo request
    for size in (0, 1, 1300 - overhead, 1301 - overhead, 4000):  # the last two in fragments
        assert ping(host.space, ours, count=5, size=size).lost == 0, size
        assert ping(gateway.space, theirs, count=5, size=size).lost == 0, size
    [tunnel] = gateway.tunnels()
    assert tunnel["remote"] == lab.network.endpoint("host", family=outer)
    assert udp_sequence(host.space, gateway.space, ours) == list(range(1000))
    assert udp_sequence(gateway.space, host.space, theirs) == list(range(1000))
    for name, reverse in (("TCP host to gateway", False), ("TCP gateway to host", True)):
        rate = iperf3(host.space, gateway.space, ours, lab.directory / "iperf3.log", seconds=1,
                      reverse=reverse)
        figure(name, f"{rate / 1e6:.0f} Mb/s")
        assert rate > 20e6, "a tunnel that carries pings and chokes on TCP"
    assert_balanced(gateway)


def test_two_workers_keep_the_order_of_an_ipv6_flow(lab):
    gateway, host = start(lab, 6, queues=2, **TWO_WORKERS)
    assert udp_sequence(host.space, gateway.space, GATEWAY[6]) == list(range(1000))
    assert udp_sequence(gateway.space, host.space, HOST[6]) == list(range(1000))
    assert_balanced(gateway)


# Networks behind a host, of both families.

BEHIND_GATEWAY = {4: "192.168.71.1", 6: "fd71::1"}
BEHIND_HOST = {4: "192.168.72.1", 6: "fd72::1"}
NETWORKS_OF_GATEWAY = ("192.168.71.0/24", "fd71::/64")
NETWORKS_OF_HOST = ("192.168.72.0/24", "fd72::/64")


def test_networks_behind_both_ends(lab):
    """The host reaches what is behind the gateway, by a router of the other family as well, and what
    is behind the host may speak to the gateway. Fails when a certificate's networks do not count."""
    routes = [{"route": network, "via": via} for network, via in
              zip(NETWORKS_OF_GATEWAY, (GATEWAY[6], GATEWAY[4]))]
    # Without local_cidr a rule of real Nebula does not cover what is behind it.
    rule = {"port": "any", "proto": "any", "host": "any", "local_cidr": "any"}
    gateway, host = start(lab, ours=NETWORKS_OF_GATEWAY, theirs=NETWORKS_OF_HOST,
                          host_settings={"tun": {"unsafe_routes": routes},
                                         "firewall": {"outbound": [rule]}})
    wait_for(lambda: all(host.space.ip(f"-{family}", "route", "show", network).stdout
                         for family, network in zip((4, 6), NETWORKS_OF_GATEWAY)),
             "the host to have its routes")
    for space, behind in ((gateway.space, BEHIND_GATEWAY), (host.space, BEHIND_HOST)):
        for address in behind.values():
            space.ip("address", "add", address, "dev", "lo")
    for family in (4, 6):
        assert ping(host.space, BEHIND_GATEWAY[family], count=5).lost == 0
        heard = from_behind(host.space, BEHIND_HOST[family], gateway.space, GATEWAY[family])
        assert heard == [BEHIND_HOST[family]] * 3
    assert len(gateway.tunnels()) == 1
    assert_balanced(gateway)


def from_behind(space, source, there, address, port=7000):
    """Who three datagrams come from, as the receiver sees it."""
    with udp_socket(there, (address, port), 2) as sink, udp_socket(space, (source, 0)) as sender:
        for _ in range(3):
            sender.sendto(b"hello", (address, port))
        return [sink.recvfrom(16)[1][0] for _ in range(3)]


PATH_MTU = {4: (socket.IPPROTO_IP, 10, 14), 6: (socket.IPPROTO_IPV6, 23, 24)}  # level, discover, MTU


@pytest.mark.parametrize("family", [4, 6], ids=["frag-needed", "packet-too-big"])
def test_a_sender_behind_the_gateway_is_told_what_fits(lab, family):
    """Linux on both sides of the inside: the gateway's kernel answers a packet that the TUN device has
    no room for, and the sender keeps to it. Fails when the device has another MTU than the tunnels."""
    gateway, host = start(lab, ours=NETWORKS_OF_GATEWAY)
    [client] = lab.network.add("client")
    client.ip("link", "add", "up0", "type", "veth", "peer", "name", "lan0", "netns",
              gateway.space.name)
    for space, device, last in ((client, "up0", 2), (gateway.space, "lan0", 1)):
        space.ip("link", "set", device, "up")
        for network in NETWORKS_OF_GATEWAY:
            base, bits = network.split("/")
            address = f"{base}{last}" if ":" in base else f"{base.removesuffix('0')}{last}"
            space.ip("address", "add", f"{address}/{bits}", "dev", device)
    client.ip(f"-{family}", "route", "add", "default", "via", BEHIND_GATEWAY[family])
    gateway.space.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    assert ping(gateway.space, HOST[family], count=3).lost == 0

    level, discover, mtu = PATH_MTU[family]
    with udp_socket(host.space, (HOST[family], 7000), 2) as sink, \
            udp_socket(client, ("0.0.0.0" if family == 4 else "::", 0)) as sender:
        sender.setsockopt(level, discover, 2)  # DO: nothing is fragmented
        sender.connect((HOST[family], 7000))

        def told():
            with contextlib.suppress(OSError):  # EMSGSIZE once it knows
                sender.send(bytes(1400))
            return sender.getsockopt(level, mtu) == 1300

        wait_for(told, "the sender to learn that 1,300 bytes fit")
        largest = bytes(1300 - {4: 28, 6: 48}[family])

        def goes():
            with contextlib.suppress(OSError):  # what was said of an earlier one may come now
                return sender.send(largest) == len(largest)

        wait_for(goes, "the largest that fits to leave")
        assert sink.recv(2000) == largest
    assert_balanced(gateway)


# What must not reach a tunnel.

def ipv6(source, destination, protocol, payload, hops=255):
    return (struct.pack("!IHBB", 6 << 28, len(payload), protocol, hops) +
            socket.inet_pton(socket.AF_INET6, source) +
            socket.inet_pton(socket.AF_INET6, destination) + payload)


def ipv4(source, destination):
    return (struct.pack("!BBHHHBBH", 0x45, 0, 28, 0, 0, 64, socket.IPPROTO_UDP, 0) +
            socket.inet_aton(source) + socket.inet_aton(destination) +
            struct.pack("!HHHH", 7000, 7000, 8, 0))


def solicitation(target):
    return struct.pack("!BBHI", 135, 0, 0, 0) + socket.inet_pton(socket.AF_INET6, target)


ROUTER_SOLICITATION = struct.pack("!BBHI", 133, 0, 0, 0)
LISTENER_REPORT = struct.pack("!BBHHH", 143, 0, 0, 0, 0)
ICMP6 = socket.IPPROTO_ICMPV6
STRAYS = {
    "neighbour-solicitation": (ipv6(GATEWAY[6], "ff02::1:ff00:2", ICMP6, solicitation(HOST[6])),
                               "multicast"),
    "duplicate-detection": (ipv6("::", "ff02::1:ff00:2", ICMP6, solicitation(HOST[6])),
                            "not_our_source"),
    "router-solicitation": (ipv6("fe80::1", "ff02::2", ICMP6, ROUTER_SOLICITATION),
                            "not_our_source"),
    "listener-report": (ipv6("::", "ff02::16", ICMP6, LISTENER_REPORT), "not_our_source"),
    "all-nodes": (ipv6(GATEWAY[6], "ff02::1", 59, b""), "multicast"),
    "wide-multicast": (ipv6(GATEWAY[6], "ff0e::42", 59, b""), "multicast"),
    "to-link-local": (ipv6(GATEWAY[6], "fe80::2", 59, b""), "no_route"),
    "from-link-local": (ipv6("fe80::1", HOST[6], 59, b""), "not_our_source"),
    "from-elsewhere": (ipv6("fd42::99", HOST[6], 59, b""), "not_our_source"),
    "to-ourselves": (ipv6(GATEWAY[6], GATEWAY[6], 59, b""), "to_ourselves"),
    "to-elsewhere": (ipv6(GATEWAY[6], "2001:db8:77::1", 59, b""), "no_route"),
    "ipv4-multicast": (ipv4(GATEWAY[4], "224.0.0.251"), "multicast"),
    "ipv4-broadcast": (ipv4(GATEWAY[4], "10.42.0.255"), "multicast"),
    "ipv4-everybody": (ipv4(GATEWAY[4], "255.255.255.255"), "no_route"),
    "ipv4-link-local": (ipv4(GATEWAY[4], "169.254.0.2"), "no_route"),
}


def test_what_is_no_business_of_the_overlay_stays_out_of_it(lab):
    """Fails when such a packet is sent through the tunnel there is, or starts a handshake."""
    gateway, host = start(lab)
    assert ping(gateway.space, HOST[6], count=1).lost == 0
    with gateway.space.entered():
        inside = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    with inside:
        [tunnel] = gateway.tunnels()
        for name, (packet, reason) in STRAYS.items():
            before = gateway.metrics().drops()
            kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
            inside.sendto(packet, (gateway.DEVICE, kind))
            costs = wait_for(lambda: changed(before, gateway.metrics().drops()), name)
            assert costs == {reason: 1}, name
    [after] = gateway.ask("tunnels")
    assert after["tx_packets"] == tunnel["tx_packets"]
    assert_balanced(gateway)


def test_the_kernel_is_silent_on_the_inside(lab):
    """Fails when the device gets a link-local address, and the kernel talks on it to nobody."""
    gateway, host = start(lab)
    shown = gateway.space.ip("-6", "-o", "address", "show", "dev", gateway.DEVICE).stdout
    assert "fe80:" not in shown
    assert f" {GATEWAY[6]}/64 " in shown and "tentative" not in shown
    assert ping(gateway.space, HOST[6], count=20).lost == 0
    assert ping(host.space, GATEWAY[6], count=20).lost == 0
    assert changed({}, gateway.metrics().drops()) == {}, "there was something beside the pings"


def test_a_machine_without_ipv6_is_told_what_would_mend_it(lab):
    lab.network.add("gateway", "host")
    lab.network.connect()
    space = lab.space("gateway")
    space.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
    authority = lab.new_authority("ca2")
    gateway = lab.gateway("gateway", None, identity=authority.sign("gateway", *GATEWAY.values()))
    ended = gateway.run_to_end()
    assert ended.returncode == 3
    assert GATEWAY[6] in ended.stderr and len(ended.stderr.splitlines()) == 1
    [mends] = re.findall(r"run (sysctl \S+)", ended.stderr)
    space.run(*mends.split())
    gateway.start()
    assert ping(space, GATEWAY[6], count=1).lost == 0
