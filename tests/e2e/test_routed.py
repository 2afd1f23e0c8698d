# SPDX-License-Identifier: Apache-2.0
"""A port as inside: the gateway routes between it and the tunnels, by the kernel's tables."""

import concurrent.futures
import ipaddress
import os
import shutil
import socket
import struct
import time
from dataclasses import dataclass

import pytest

from lab.inside_lan import GATEWAY as PORT_ADDRESS
from lab.inside_lan import PORT, ROUTER, SERVER, UNSAFE, InsideLan
from lab.lab import GATEWAY, HOST
from lab.metrics import assert_balanced
from lab.nebula import DEBIAN, TODAY
from lab.paced import PacedStream
from lab.process import Daemon, wait_for
from lab.traffic import iperf3, ping, udp_sequence, udp_socket

GATEWAY_V6, HOST_V6 = "fd42::1", "fd42::2"
MTU = 1300


@dataclass(frozen=True)
class Kind:
    """How the port is taken, and what stands for it in the kernel."""
    name: str
    device: str
    backend: str
    interface: str

    def __str__(self):
        return self.name


XDP = Kind("af_xdp", PORT, "af_xdp", PORT)
VDEV = Kind("vdev", f"net_af_packet0,iface={PORT}", "ethdev", "magnetar-in")


@dataclass
class Routed:
    gateway: object
    host: object
    lan: InsideLan
    kind: Kind
    families: tuple

    def reach(self):
        """Both ways, every family: the first packet to the server finds its neighbour, too."""
        for family in self.families:
            assert ping(self.host.space, SERVER[family], count=5).lost == 0, f"IPv{family}, in"
            assert ping(self.lan.server, {4: HOST, 6: HOST_V6}[family], count=5).lost == 0, "out"


def start(lab, kind, version=DEBIAN, inside=None, host_mtu=MTU, **settings):
    """Version 1 certificates know IPv4 alone."""
    families = (4,) if version == DEBIAN else (4, 6)
    authority = lab.authority if version == DEBIAN else lab.new_authority("ca2")
    unsafe = UNSAFE[:2] if version == DEBIAN else UNSAFE
    addresses = ((GATEWAY,), (HOST,)) if version == DEBIAN else ((GATEWAY, GATEWAY_V6), (HOST, HOST_V6))
    lab.network.add("gateway", "host")
    lab.network.connect()
    lan = InsideLan(lab.network, lab.space("gateway"))
    settings["inside"] = {"device": kind.device, "mtu": MTU, **(inside or {})}
    if kind is VDEV:
        # The vdev stands for a NIC that the kernel does not have.
        lan.gateway.run("sysctl", "-qw", f"net.ipv4.conf.{PORT}.arp_ignore=8",
                        f"net.ipv6.conf.{PORT}.disable_ipv6=1")
        settings["inside"]["addresses"] = [f"{PORT_ADDRESS[4]}/24", f"{PORT_ADDRESS[6]}/64"]
    else:
        lan.address_gateway(PORT)
    gateway = lab.gateway("gateway", None, identity=authority.sign("gateway", *addresses[0], unsafe=unsafe),
                          static={address: [lab.network.endpoint("host")] for address in addresses[1]},
                          **settings).start()
    lan.route(kind.interface, "lana")
    rule = {"port": "any", "proto": "any", "host": "any"}
    routes = [{"route": network, "via": GATEWAY} for network in unsafe]
    host = lab.host("host", None, version=version, identity=authority.sign("host", *addresses[1]),
                    static={address: [lab.network.endpoint("gateway")] for address in addresses[0]},
                    settings={"tun": {"dev": "nebula1", "mtu": host_mtu, "unsafe_routes": routes},
                              "firewall": {"outbound": [rule], "inbound": [rule]}}).start()
    wait_for(lambda: all(host.space.ip(f"-{6 if ':' in network else 4}", "route", "show", network).stdout
                         for network in unsafe), "the host to have its routes")
    return Routed(gateway, host, lan, kind, families)


KINDS = pytest.mark.parametrize("kind", [XDP, VDEV], ids=str)
HOSTS = pytest.mark.parametrize("peer_version", [DEBIAN, TODAY], indirect=True)


@KINDS
@HOSTS
def test_a_host_reaches_a_server_behind_the_port(lab, kind, peer_version, figure):
    """Fails when a frame is not routed, when the kernel loses its own, or when a packet is not
    accounted for. The kernel of the gateway forwards nothing."""
    routed = start(lab, kind, peer_version)
    gateway, server = routed.gateway, routed.lan.server
    assert gateway.space.run("sysctl", "-n", "net.ipv4.ip_forward").stdout.strip() == "0"
    inside = next(port for port in gateway.ask("status")["ports"] if port["side"] == "inside")
    assert (inside["name"], inside["backend"]) == (kind.device, kind.backend)
    assert f"{PORT_ADDRESS[4]}/24" in inside["addresses"]
    assert 'side=inside' in gateway.log() and f"backend={kind.backend}" in gateway.log()
    routed.reach()
    # The kernel still has its own: the port's address, and the overlay's from both sides.
    assert ping(server, PORT_ADDRESS[4], count=5).lost == 0
    assert ping(server, PORT_ADDRESS[6], count=5).lost == 0
    assert ping(routed.host.space, GATEWAY, count=5).lost == 0
    assert ping(routed.host.space, PORT_ADDRESS[4], count=5).lost == 0
    assert ping(gateway.space, HOST, count=5).lost == 0
    assert udp_sequence(routed.host.space, server, SERVER[4]) == list(range(1000))
    assert udp_sequence(server, routed.host.space, HOST) == list(range(1000))
    for reverse in (False, True):
        rate = iperf3(routed.host.space, server, SERVER[4], lab.directory / "iperf3.log", reverse=reverse)
        figure("TCP from the server" if reverse else "TCP to the server", f"{rate / 1e9:.2f} Gb/s")
        assert rate > 20e6
    assert_balanced(gateway)
    assert gateway.stop() == 0
    assert not gateway.space.has_link("magnetar-in")


@KINDS
def test_two_workers_share_one_queue(lab, kind):
    """Each side of one queue, dealt out by flow. Fails when a flow loses its order, or when a worker
    without a queue cannot send."""
    routed = start(lab, kind, workers={"cores": [0, 1], "control_core": 0})
    routed.reach()
    for number in range(4):  # flows of their own
        assert udp_sequence(routed.host.space, routed.lan.server, SERVER[4], port=7000 + number) == \
            list(range(1000))
        assert udp_sequence(routed.lan.server, routed.host.space, HOST, port=7000 + number) == \
            list(range(1000))
    assert_balanced(routed.gateway)


ERRORS = {4: (socket.IPPROTO_IP, 11, socket.IP_TTL, 11),  # level, RECVERR, TTL, type of time exceeded
          6: (socket.IPPROTO_IPV6, 25, socket.IPV6_UNICAST_HOPS, 3)}


def icmp_error(space, family, address, ttl=None, size=16, dont_fragment=False):
    """Who answers a datagram with an ICMP error, of which type, with what number: a hop of a route."""
    level, recverr, ttl_option, _ = ERRORS[family]
    with udp_socket(space, ("::" if family == 6 else "0.0.0.0", 0)) as sender:
        sender.setsockopt(level, recverr, 1)
        if ttl:
            sender.setsockopt(level, ttl_option, ttl)
        if dont_fragment:  # and whatever the kernel believes of the path
            sender.setsockopt(level, 10 if family == 4 else 23, 3)
        sender.sendto(bytes(size), (address, 33434))

        def answer():
            try:
                return sender.recvmsg(64, 512, socket.MSG_ERRQUEUE)[1]
            except BlockingIOError:
                return None

        sender.setblocking(False)
        [(_, _, data), *_] = wait_for(answer, f"an ICMP error about {address}")
    _, _, kind, _, _, info, _ = struct.unpack("IBBBBII", data[:16])
    where = data[16:]
    who = (socket.inet_ntop(socket.AF_INET, where[4:8]) if family == 4
           else socket.inet_ntop(socket.AF_INET6, where[8:24]))
    return who, kind, info


@KINDS
@pytest.mark.usefixtures("today")
def test_a_packet_whose_ttl_runs_out_is_answered(lab, kind):
    """A hop of a traceroute, from either side and in either family."""
    routed = start(lab, kind, TODAY)
    routed.reach()
    for family, overlay, host in ((4, GATEWAY, HOST), (6, GATEWAY_V6, HOST_V6)):
        exceeded = ERRORS[family][3]
        # The host's own Nebula is no hop, so the gateway is the first.
        assert icmp_error(routed.host.space, family, SERVER[family], ttl=1)[:2] == (overlay, exceeded)
        assert icmp_error(routed.lan.server, family, host, ttl=1)[:2] == (PORT_ADDRESS[family], exceeded)
        # One more, and it arrives: nobody listens there, and that is said by the far end itself.
        assert icmp_error(routed.host.space, family, SERVER[family], ttl=2)[0] == SERVER[family]
        assert icmp_error(routed.lan.server, family, host, ttl=2)[0] == host
    assert routed.gateway.metrics().drops()["ttl_exceeded"] == 4
    assert_balanced(routed.gateway)


@KINDS
@pytest.mark.usefixtures("today")
def test_a_host_is_told_what_fits_the_port(lab, kind):
    """Fails when a packet that the port's MTU has no room for is lost without a word."""
    routed = start(lab, kind, TODAY, inside={"mtu": 1280}, host_mtu=1400)
    routed.reach()
    for family, overlay in ((4, GATEWAY), (6, GATEWAY_V6)):
        who, _, mtu = icmp_error(routed.host.space, family, SERVER[family], size=1300, dont_fragment=True)
        assert (who, mtu) == (overlay, 1280)
    assert routed.gateway.metrics().drops()["inside_too_big"] == 2
    # What may be fragmented arrives, in pieces that the server puts together.
    with udp_socket(routed.lan.server, (SERVER[4], 7000), 2) as sink, \
            udp_socket(routed.host.space) as sender:
        sender.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER: no
        for number in range(20):
            text = bytes([number]) * 1300
            sender.sendto(text, (SERVER[4], 7000))
            assert sink.recv(2000) == text
    assert_balanced(routed.gateway)


@KINDS
@pytest.mark.parametrize("family,peer_version", [(4, DEBIAN), (6, TODAY)], indirect=["peer_version"],
                         ids=["IPv4", "IPv6"])
def test_a_next_hop_moves_under_load_without_a_loss(lab, kind, family, peer_version):
    """`ip route replace`, again and again, and a neighbour that moves. Fails when a route is gone for a
    moment, or when a packet is lost while the kernel looks for the new router."""
    routed = start(lab, kind, peer_version)
    routed.reach()
    lan = routed.lan
    # What waits for a neighbour may be overtaken, so the kernel knows both routers to begin with.
    assert ping(lan.gateway, ROUTER["lanb", family], count=2).lost == 0
    stream = PacedStream(routed.host.space, lan.server, SERVER[family], 7000, rate=5000)

    def came_by(router):
        return int(lan.server.run("cat", f"/sys/class/net/{router}/statistics/rx_packets").stdout)

    for router in ("lanb", "lana", "lanb", "lana", "lanb"):
        before = came_by(router)
        lan.route(kind.interface, router)
        wait_for(lambda: came_by(router) > before + 1000, f"the stream to come by {router}")
    stream.stop()
    assert stream.sent > 5000
    assert not stream.faults()

    # The kernel forgets whom it knew, and asks anew: what waits there is overtaken, and not lost.
    stream = PacedStream(routed.host.space, lan.server, SERVER[family], 7000, rate=5000)
    for _ in range(3):
        before = came_by(router)
        lan.gateway.ip("neigh", "flush", "dev", kind.interface)
        wait_for(lambda: came_by(router) > before + 1000, "the stream to come by again")
    stream.stop()
    assert stream.sent > 2000
    assert not {fault: number for fault, number in stream.faults().items() if fault != "reordered"}
    assert routed.gateway.metrics().by("magnetar_punted_packets_total", "kind")["inside_unresolved"] > 0
    assert_balanced(routed.gateway)


def test_an_interface_that_af_xdp_cannot_take_is_refused(lab):
    """AF_PACKET would give the kernel a copy to forward: it is not taken, and what to do is said."""
    lab.network.add("gateway", "host")
    lab.network.connect()
    space = lab.space("gateway")
    space.ip("link", "add", PORT, "type", "veth", "peer", "name", "other")  # and down
    gateway = lab.gateway("gateway", GATEWAY, inside={"device": PORT})
    done = gateway.run_to_end()
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"ip link set {PORT} up" in said and "AF_XDP" in said and 'inside.device = "tun"' in said


FEED = int(os.environ.get("MAGNETAR_ROUTES", "10000"))


@KINDS
def test_a_feed_of_routes_disturbs_nobody(lab, kind, figure):
    """Ten thousand routes, or MAGNETAR_ROUTES, while a stream runs. Fails when they are not all followed, or when the stream
    loses a packet, or its order."""
    routed = start(lab, kind)
    routed.reach()
    lan = routed.lan
    first = ipaddress.ip_address("10.64.0.0")
    behind = [*(first + number for number in range(FEED - 1)), "10.60.64.0"]  # that one is asked for
    lan.server.ip("address", "add", f"{behind[-1]}/32", "dev", "lo")
    batch = lab.directory / "routes"
    batch.write_text("".join(f"route add {address}/32 via {ROUTER['lanb', 4]} dev {kind.interface}\n"
                             for address in behind))

    def came_by_b():
        return int(lan.server.run("cat", "/sys/class/net/lanb/statistics/rx_packets").stdout)

    stream = PacedStream(routed.host.space, lan.server, SERVER[4], 7000, rate=5000)
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor() as beside:
        feeding = beside.submit(lan.gateway.run, "ip", "-batch", batch, timeout=60)
        pings = ping(routed.host.space, SERVER[4], count=100)
        feeding.result()
    fed = time.monotonic() - begin
    assert pings.lost == 0

    def last_one_goes_by_b():
        before = came_by_b()
        ping(routed.host.space, behind[-1], count=5)
        return came_by_b() >= before + 5

    wait_for(last_one_goes_by_b, "the last of the routes to be followed")
    figure(f"{FEED} routes", f"{time.monotonic() - begin:.2f} s until the last is followed, "
           f"{fed:.2f} s of it for ip -batch and pings beside it: {pings}")
    stream.stop()
    figure("stream meanwhile", f"{stream.sent} sent, {stream.faults() or 'each once and in order'}")
    assert stream.sent > 500
    assert not stream.faults()
    assert_balanced(routed.gateway)


# A session of BGP over the port: the gateway's BIRD learns from a router how to reach the server.

BIRD = """
router id {own};
log "{log}" all;
protocol device {{ }}
protocol kernel {{ ipv4 {{ export all; import none; }}; }}
{more}
protocol bgp neighbour {{
    local {own} as {own_as};
    neighbor {other} as {other_as};
    connect delay time 1; connect retry time 1; error wait time 1, 2;
    ipv4 {{ import all; export {export}; }};
}}
"""


def bird(space, directory, name, **values):
    directory = directory / name
    directory.mkdir()
    config = directory / "bird.conf"
    config.write_text(BIRD.format(log=directory / "bird.log", **values))
    return Daemon(space.command("bird", "-f", "-c", config, "-s", directory / "bird.ctl"),
                  directory / "output.log")


@pytest.mark.skipif(shutil.which("bird") is None, reason="BIRD is not here")
@KINDS
def test_bird_on_the_port_decides_the_routes(lab, kind):
    """Fails when a BGP session does not stand over the port, or when what it brings is not followed."""
    routed = start(lab, kind)
    lan, here, there = routed.lan, PORT_ADDRESS[4], ROUTER["lana", 4]
    lan.gateway.ip("route", "delete", "10.60.0.0/16")
    assert ping(routed.host.space, SERVER[4], count=2).lost == 2
    static = f"protocol static {{ ipv4; route {SERVER[4]}/32 via {there}; }}"
    speakers = [bird(lan.gateway, lab.directory, "bird-gateway", own=here, own_as=65001, other=there,
                     other_as=65002, more="", export="none"),
                bird(lan.server, lab.directory, "bird-server", own=there, own_as=65002, other=here,
                     other_as=65001, more=static, export="all")]
    try:
        wait_for(lambda: f"{there} dev {kind.interface}" in
                 lan.gateway.ip("route", "show", f"{SERVER[4]}/32").stdout, "BIRD to bring the route", 30)
        wait_for(lambda: ping(routed.host.space, SERVER[4], count=1).lost == 0, "the route to be followed")
        assert ping(routed.host.space, SERVER[4], count=20).lost == 0
        rate = iperf3(routed.host.space, lan.server, SERVER[4], lab.directory / "iperf3.log")
        assert rate > 20e6
        assert "Established" in lan.gateway.run(
            "birdc", "-s", lab.directory / "bird-gateway" / "bird.ctl", "show", "protocols").stdout
        assert_balanced(routed.gateway)
    finally:
        for speaker in speakers:
            speaker.stop()
