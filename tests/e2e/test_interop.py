# SPDX-License-Identifier: Apache-2.0
"""The main job with real peers: tunnels opened from either side, pings, TCP, counters."""

import shlex
from dataclasses import dataclass, field

import pytest

from lab.lab import GATEWAY, HOST, pair
from lab.machine import hugepages
from lab.metrics import assert_balanced
from lab.nebula import DEBIAN
from lab.process import wait_for
from lab.traffic import iperf3, ping, udp_sequence, udp_socket

TWO_WORKERS = {"workers": {"cores": [0, 1]}, "outside": {"queues": 2}, "inside": {"queues": 2}}


@dataclass(frozen=True)
class Case:
    name: str
    settings: dict = field(default_factory=dict)
    cipher: str = "aes"
    family: int = 4
    queues: int = 1
    backend: str = ""  # what `status` has to say; empty: whatever "auto" found
    version: str = DEBIAN
    hugepages: int = 0


CASES = [
    Case("defaults", backend="udp"),  # veth has no AF_XDP zero-copy
    Case("chachapoly", cipher="chachapoly"),
    Case("ipv6-outside", family=6),
    Case("af_packet", {"outside": {"backend": "af_packet"}}, backend="af_packet"),
    Case("af_xdp", {"outside": {"backend": "af_xdp"}}, backend="af_xdp"),
    Case("udp", {"outside": {"backend": "udp"}}, backend="udp"),
    Case("udp-chachapoly-ipv6", {"outside": {"backend": "udp"}}, cipher="chachapoly", family=6,
         backend="udp"),
    Case("udp-nebula-1.11.0", {"outside": {"backend": "udp"}}, version="1.11.0", backend="udp"),
    Case("ordinary-memory", {"workers": {"memory": "ordinary"}}),
    Case("hugepages", {"workers": {"memory": "hugepages"}}, hugepages=256),
    Case("two-workers-af_packet", {**TWO_WORKERS, "outside": {"queues": 2, "backend": "af_packet"}},
         queues=2, backend="af_packet"),
    Case("two-workers-af_xdp", {**TWO_WORKERS, "outside": {"queues": 2, "backend": "af_xdp"}},
         queues=2, backend="af_xdp"),
    Case("two-workers-udp", {**TWO_WORKERS, "outside": {"queues": 2, "backend": "udp"}},
         queues=2, backend="udp"),
    Case("two-workers-udp-ipv6", {**TWO_WORKERS, "outside": {"queues": 2, "backend": "udp"}},
         family=6, queues=2, backend="udp"),
    Case("two-workers-chachapoly-ipv6", TWO_WORKERS, cipher="chachapoly", family=6, queues=2),
    Case("two-workers-one-queue", {"workers": {"cores": [0, 1]}}),
    Case("nebula-1.9.3", version="1.9.3"),
    Case("nebula-1.11.0", version="1.11.0"),
    Case("nebula-1.11.0-chachapoly-ipv6", cipher="chachapoly", family=6, version="1.11.0"),
]


@pytest.mark.parametrize(
    "case,peer_version", [pytest.param(case, case.version, id=case.name) for case in CASES],
    indirect=["peer_version"])
def test_a_real_host_and_the_gateway_talk(lab, case, peer_version, figure):
    with hugepages(case.hugepages):
        gateway, host = pair(lab, family=case.family, queues=case.queues, cipher=case.cipher,
                             version=peer_version, **case.settings)
        check_backend(gateway, case.backend)
        check_both_ways(gateway, host, case.cipher, lab.network.endpoint("host", family=case.family))
        check_throughput(lab, gateway.space, host.space, figure)
        assert_balanced(gateway)
        gateway.stop()  # before its hugepages go


def check_backend(gateway, backend):
    ports = {port["side"]: port for port in gateway.ask("status")["ports"]}
    assert ports["inside"]["name"] == gateway.DEVICE
    assert ports["outside"]["backend"] == (backend or ports["outside"]["backend"])
    check_log(gateway, ports)


def check_log(gateway, ports):
    """The start-up log says of each port, on one line, what `status` does."""
    lines = [dict(word.split("=", 1) for word in shlex.split(line) if "=" in word)
             for line in gateway.log().splitlines() if 'event="port open"' in line]
    assert [line["side"] for line in lines] == ["outside", "inside"]
    for line in lines:
        port = ports[line["side"]]
        for key in ("name", "backend", "queues", "mtu", "offloads", "note"):
            assert line.get(key) == (None if port[key] is None else str(port[key])), key


def check_both_ways(gateway, host, cipher, remote):
    # The host opens the tunnel: its first packets wait for the handshake and none is lost.
    assert ping(host.space, GATEWAY).lost == 0
    assert ping(gateway.space, HOST).lost == 0
    [tunnel] = gateway.tunnels()
    assert tunnel["overlay_addresses"] == [HOST]
    assert tunnel["name"] == host.identity.name
    assert tunnel["remote"] == remote
    assert tunnel["cipher"] == cipher
    assert tunnel["cert_fingerprint"] == host.identity.fingerprint()
    assert tunnel["initiator"] is False
    assert tunnel["rx_packets"] >= 200 and tunnel["tx_packets"] >= 200

    # Then the gateway does.
    gateway.close(HOST)
    assert ping(gateway.space, HOST).lost == 0
    assert ping(host.space, GATEWAY).lost == 0
    [tunnel] = gateway.tunnels()
    assert tunnel["initiator"] is True
    handshakes = gateway.metrics()
    for role in ("initiator", "responder"):
        assert handshakes.total("magnetar_handshakes_total", role=role, result="ok") == 1


def check_throughput(lab, inside, outside, figure):
    for name, reverse in (("TCP host to gateway", False), ("TCP gateway to host", True)):
        rate = iperf3(outside, inside, GATEWAY, lab.directory / "iperf3.log", reverse=reverse)
        figure(name, f"{rate / 1e6:.0f} Mb/s")
        assert rate > 20e6, "a tunnel that carries pings and chokes on TCP"


def test_two_gateways_talk(lab, figure):
    lab.network.add("one", "two")
    lab.network.connect()
    one = lab.gateway("one", GATEWAY, static={HOST: [lab.network.endpoint("two")]}).start()
    two = lab.gateway("two", HOST, static={GATEWAY: [lab.network.endpoint("one")]},
                      workers={"cores": [0], "control_core": 1}).start()
    assert ping(two.space, GATEWAY).lost == 0
    assert ping(one.space, HOST).lost == 0
    assert [t["initiator"] for t in one.tunnels() + two.tunnels()] == [False, True]
    one.close(HOST)
    wait_for(lambda: not two.tunnels(), "the other gateway to hear of the close")
    assert ping(one.space, HOST).lost == 0
    assert [t["initiator"] for t in one.tunnels() + two.tunnels()] == [True, False]
    check_throughput(lab, one.space, two.space, figure)
    assert_balanced(one)
    assert_balanced(two)


def test_a_port_that_dpdk_owns_has_a_twin_in_the_kernel(lab, figure):
    """A vdev stands for the NIC that this machine has not: the kernel sees it only by the twin."""
    lab.network.add("gateway", "host")
    lab.network.connect()
    space = lab.space("gateway")
    space.ip("address", "flush", "dev", "eth1")
    space.run("sysctl", "-qw", "net.ipv4.conf.eth1.arp_ignore=1", "net.ipv4.conf.eth1.rp_filter=1",
              "net.ipv6.conf.eth1.disable_ipv6=1")
    gateway = lab.gateway(
        "gateway", GATEWAY, static={HOST: [lab.network.endpoint("host")]},
        outside={"port": "net_af_packet0,iface=eth1", "addresses": ["192.0.2.1/24", "2001:db8::1/64"]})
    gateway.start()
    host = lab.host("host", HOST, static={GATEWAY: [lab.network.endpoint("gateway")]}).start()
    check_backend(gateway, "ethdev")
    note = next(port["note"] for port in gateway.ask("status")["ports"] if port["side"] == "outside")
    assert 'outside.port = "eth1"' in note, "what would be faster than this vdev"
    for address in (lab.network.address("gateway"), lab.network.address("gateway", 6)):
        assert ping(host.space, address, count=20).lost == 0, "the kernel answers by the twin"
    check_both_ways(gateway, host, "aes", lab.network.endpoint("host"))
    check_throughput(lab, gateway.space, host.space, figure)
    assert_balanced(gateway)
    assert gateway.stop() == 0
    assert not space.has_link("magnetar-out")


def test_one_gateway_serves_many_hosts(lab):
    """Three peers on one Ethernet; each reaches the gateway, none is told apart wrongly."""
    hosts = [f"10.42.0.{10 + number}" for number in range(3)]
    lab.network.add("gateway", *(f"host{number}" for number in range(3)))
    lab.network.connect()
    gateway = lab.gateway("gateway", GATEWAY).start()
    for number, address in enumerate(hosts):
        lab.host(f"host{number}", address,
                 static={GATEWAY: [lab.network.endpoint("gateway")]}).start()
        assert ping(lab.space(f"host{number}"), GATEWAY, count=20).lost == 0
    assert sorted(t["name"] for t in gateway.tunnels()) == ["host0", "host1", "host2"]
    for address in hosts:
        assert ping(gateway.space, address, count=20).lost == 0
    assert_balanced(gateway)


@pytest.mark.parametrize("size", [0, 1, 56, 1000, 1272], ids=lambda size: f"{size}-bytes")
def test_pings_of_every_size_pass(lab, size):
    gateway, host = pair(lab)
    assert ping(host.space, GATEWAY, count=20, size=size).lost == 0
    assert ping(gateway.space, HOST, count=20, size=size).lost == 0


def test_order_is_kept_within_one_flow(lab):
    gateway, host = pair(lab)
    assert udp_sequence(host.space, gateway.space, GATEWAY) == list(range(1000))
    assert udp_sequence(gateway.space, host.space, HOST) == list(range(1000))


def test_packets_that_wait_for_the_handshake_leave_in_order(lab):
    """The host's Nebula starts after the packets were sent: they are queued and then flushed."""
    lab.network.add("gateway", "host")
    lab.network.connect()
    gateway = lab.gateway("gateway", GATEWAY, static={HOST: [lab.network.endpoint("host")]},
                          handshake={"try_interval_ms": 500}).start()
    host = lab.host("host", HOST, static={GATEWAY: [lab.network.endpoint("gateway")]})
    with udp_socket(gateway.space) as source, udp_socket(host.space, ("0.0.0.0", 7000)) as sink:
        for number in range(50):
            source.sendto(bytes([number]), (HOST, 7000))
        [pending] = wait_for(lambda: gateway.tunnels("pending"), "a pending handshake")
        assert pending["overlay_addresses"] == [HOST]
        host.start()
        assert [sink.recv(16)[0] for _ in range(50)] == list(range(50))
