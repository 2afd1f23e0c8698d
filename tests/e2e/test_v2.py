# SPDX-License-Identifier: Apache-2.0
"""Version 2 certificates with real Nebula 1.11.0: several overlay addresses a host, of both families,
and hosts of both versions on one gateway."""

import contextlib
import itertools
from dataclasses import dataclass, field

import pytest

from lab.metrics import assert_balanced
from lab.nebula import DEBIAN, TODAY
from lab.process import wait_for
from lab.traffic import Stream, ping

pytestmark = pytest.mark.usefixtures("today")


@dataclass(frozen=True)
class Case:
    name: str
    gateway: tuple
    host: tuple

    def pairs(self):
        """An address of the gateway and one of the host that are in one network."""
        return [(ours, theirs) for ours, theirs in itertools.product(self.gateway, self.host)
                if ours[:4] == theirs[:4]]  # "10.4" is one, "fd42" another


CASES = [
    Case("ipv4-only", ("10.42.0.1",), ("10.42.0.2",)),
    Case("ipv6-only", ("fd42::1",), ("fd42::2",)),
    Case("both-families", ("10.42.0.1", "fd42::1"), ("10.42.0.2", "fd42::2")),
    Case("host-of-one-family", ("10.42.0.1", "fd42::1"), ("fd42::2",)),
    Case("gateway-of-one-family", ("fd42::1",), ("10.42.0.2", "fd42::2")),
    Case("four-addresses", ("10.42.0.1", "10.42.0.5", "fd42::1", "fd43::1"),
         ("10.42.0.2", "10.42.0.6", "fd42::2", "fd43::2")),
]


def start(lab, case, cipher="aes"):
    """Both know all addresses of each other."""
    authority = lab.new_authority("ca2")
    lab.network.add("gateway", "host")
    lab.network.connect()
    ours, theirs = ([lab.network.endpoint(role)] for role in ("gateway", "host"))
    gateway = lab.gateway("gateway", None, identity=authority.sign("gateway", *case.gateway),
                          static={address: theirs for address in case.host}).start()
    host = lab.host("host", None, version=TODAY, identity=authority.sign("host", *case.host),
                    static={address: ours for address in case.gateway}).start()
    return gateway, host


def the_tunnel(gateway, host):
    [tunnel] = gateway.ask("tunnels")
    assert tunnel["overlay_addresses"] == list(host.identity.addresses)
    assert tunnel["cert_fingerprint"] == host.identity.fingerprint()
    assert (tunnel["cert_version"], tunnel["own_cert_version"]) == (2, 2)
    return tunnel


def all_reach_all(gateway, host, case):
    for ours, theirs in case.pairs():
        assert ping(gateway.space, theirs, count=3).lost == 0, theirs
        assert ping(host.space, ours, count=3).lost == 0, ours


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_address_opens_the_tunnel_and_uses_it(lab, case):
    """Fails when a packet to some address of a peer finds no tunnel, or opens another one."""
    gateway, host = start(lab, case)
    reachable = case.pairs()
    for space, first, initiator in [*((gateway.space, theirs, True) for _, theirs in reachable),
                                    *((host.space, ours, False) for ours, _ in reachable)]:
        assert ping(space, first, count=3).lost == 0, f"the first packet goes to {first}"
        tunnel = the_tunnel(gateway, host)
        assert tunnel["initiator"] is initiator
        all_reach_all(gateway, host, case)
        assert the_tunnel(gateway, host)["local_index"] == tunnel["local_index"]
        gateway.close(host.identity.addresses[-1])
    assert_balanced(gateway)


BOTH = Case("both-families", ("10.42.0.1", "fd42::1"), ("10.42.0.2", "fd42::2"))


@pytest.mark.parametrize("starts", ["gateway", "host", "both"])
def test_packets_to_two_addresses_wait_for_one_peer(lab, starts):
    """Both addresses are sent to before there is a tunnel: two attempts, or four. Fails when what
    waits for one of them is lost, or when they end in more tunnels than one that is in use."""
    gateway, host = start(lab, BOTH)
    ways = {"gateway": (gateway.space, host.space, BOTH.host),
            "host": (host.space, gateway.space, BOTH.gateway)}
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(Stream(sender, receiver, address))
                   for role, (sender, receiver, addresses) in ways.items()
                   if starts in (role, "both") for address in addresses]
        for stream in streams:
            stream.send(20)
        for stream in streams:
            stream.assert_each_once()
        all_reach_all(gateway, host, BOTH)
        for stream in streams:
            stream.send(20)
            stream.assert_each_once()
    assert gateway.tunnels("pending") == []
    assert len([row for row in gateway.tunnels() if row["primary"]]) == 1
    assert_balanced(gateway)


# Hosts with a certificate of each version, and hosts that know only one.

@dataclass(frozen=True)
class Mixed:
    """Certificates of gateway and host. `first`: what the sides are shown when the gateway starts,
    and when the host does: (the host's version, the gateway's). `last`: what they come to."""
    name: str
    gateway: tuple
    host: tuple
    first: tuple
    last: tuple
    begins: dict = field(default_factory=dict)  # role: pki.initiating_version
    program: str = TODAY


MIXED = [
    Mixed("old-host", (1, 2), (1,), ((1, 1), (1, 1)), (1, 1), program=DEBIAN),
    Mixed("host-of-1", (1, 2), (1,), ((1, 1), (1, 1)), (1, 1)),
    Mixed("host-of-2", (1, 2), (2,), ((2, 1), (2, 2)), (2, 2)),
    Mixed("gateway-of-1", (1,), (1, 2), ((1, 1), (1, 1)), (1, 1)),
    Mixed("gateway-of-2", (2,), (1, 2), ((2, 2), (1, 2)), (2, 2)),
    Mixed("each-of-its-own", (1,), (2,), ((2, 1), (2, 1)), (2, 1)),
    Mixed("both", (1, 2), (1, 2), ((1, 1), (1, 1)), (1, 1)),
    Mixed("both-host-begins-with-2", (1, 2), (1, 2), ((1, 1), (2, 2)), (2, 2), {"host": 2}),
    Mixed("both-gateway-begins-with-2", (1, 2), (1, 2), ((2, 2), (1, 1)), (2, 2), {"gateway": 2}),
    Mixed("both-begin-with-2", (1, 2), (1, 2), ((2, 2), (2, 2)), (2, 2),
          {"gateway": 2, "host": 2}),
]


class Authorities:
    """One of each version."""

    def __init__(self, lab):
        self.of = {version: lab.new_authority(f"ca{version}", version) for version in (1, 2)}

    def sign(self, name, which, *addresses, program=TODAY):
        """With certificates of the versions `which`; that of version 1 has the first address."""
        if which == (2,):
            return self.of[2].sign(name, *addresses).trusting(*self.of.values())
        first = self.of[1].sign(name, addresses[0])
        if program == DEBIAN:
            return first  # cannot read the other authority
        if which == (1,):
            return first.trusting(*self.of.values())
        return first.and_also(self.of[2].sign(name, *addresses, like=first))


def start_mixed(lab, case, **settings):
    authorities = Authorities(lab)
    lab.network.add("gateway", "host")
    lab.network.connect()
    begins = {role: {"pki": {"initiating_version": version}}
              for role, version in case.begins.items()}
    gateway = lab.gateway("gateway", None, identity=authorities.sign(
        "gateway", case.gateway, *BOTH.gateway), **begins.get("gateway", {}), **settings,
        static={BOTH.host[0]: [lab.network.endpoint("host")]}).start()
    host = lab.host("host", None, version=case.program, identity=authorities.sign(
        "host", case.host, *BOTH.host, program=case.program),
        settings={"timers": {"connection_alive_interval": 1}, **begins.get("host", {})},
        static={BOTH.gateway[0]: [lab.network.endpoint("gateway")]}).start()
    return gateway, host


def shown(gateway, name="host"):
    """The peer's version and ours, in the tunnel that is used. None: two are, one for each of some
    of the peer's addresses, while one takes over from the other."""
    rows = [row for row in gateway.tunnels() if row["name"] == name and row["primary"]]
    if len(rows) > 1:
        return None
    return rows[0]["cert_version"], rows[0]["own_cert_version"]


@contextlib.contextmanager
def loaded(gateway, host):
    """Datagrams both ways; what is given sends one each and is false. In the end all have come."""
    with Stream(gateway.space, host.space, BOTH.host[0]) as out, \
            Stream(host.space, gateway.space, BOTH.gateway[0]) as back:
        def send():
            out.send(1)
            back.send(1)
        yield send
        out.assert_each_once()
        back.assert_each_once()


@pytest.mark.parametrize("case", MIXED, ids=lambda case: case.name)
@pytest.mark.parametrize("starts", ["gateway", "host"])
def test_each_is_shown_what_it_can_read(lab, starts, case):
    """Fails when the two sides find no common version, stay with the lower one where both have the
    higher, or lose a packet on the way from one to the other."""
    gateway, host = start_mixed(lab, case)
    there = [(gateway.space, BOTH.host[0]), (host.space, BOTH.gateway[0])]
    for space, address in there if starts == "gateway" else reversed(there):
        assert ping(space, address, count=5).lost == 0
    assert shown(gateway) == case.first[starts == "host"]

    with loaded(gateway, host) as send:
        wait_for(lambda: send() or shown(gateway) == case.last, f"versions {case.last}")
    if 1 not in case.gateway + case.host:
        all_reach_all(gateway, host, BOTH)
    assert_balanced(gateway)


def test_an_old_host_is_not_shown_version_2_again_and_again(lab):
    """The gateway would rather begin with version 2. Fails when the attempt that 1.6.1 cannot read
    harms the tunnel there is, or when another follows."""
    case = Mixed("", (1, 2), (1,), (), (), {"gateway": 2}, DEBIAN)
    gateway, host = start_mixed(lab, case, handshake={"retries": 3})
    assert ping(host.space, BOTH.gateway[0], count=5).lost == 0
    with loaded(gateway, host) as send:
        wait_for(lambda: send() or gateway.tunnels("pending"), "the gateway to try")
        wait_for(lambda: send() or not gateway.tunnels("pending"), "it to give that up")
    assert shown(gateway) == (1, 1)


@pytest.mark.parametrize("starts", ["gateway", "hosts"])
def test_old_and_new_hosts_on_one_gateway(lab, starts):
    """1.6.1 with version 1, 1.11.0 with version 2, and 1.11.0 with both, all at once. Fails when
    what goes to or from some address of theirs is lost, or takes a tunnel in which the other side
    was not shown that address."""
    authorities = Authorities(lab)
    members = {"old": ((1,), DEBIAN, ("10.42.0.2",)),
               "new": ((2,), TODAY, ("10.42.0.3", "fd42::3")),
               "mixed": ((1, 2), TODAY, ("10.42.0.4", "fd42::4"))}
    lab.network.add("gateway", *members)
    lab.network.connect()
    gateway = lab.gateway(
        "gateway", None, identity=authorities.sign("gateway", (1, 2), *BOTH.gateway),
        static={address: [lab.network.endpoint(name)]
                for name, (_, _, addresses) in members.items() for address in addresses}).start()
    for name, (which, program, addresses) in members.items():
        identity = authorities.sign(name, which, *addresses, program=program)
        known = BOTH.gateway if program == TODAY else BOTH.gateway[:1]
        lab.host(name, None, version=program, identity=identity,
                 static={address: [lab.network.endpoint("gateway")] for address in known}).start()
    ends = [(lab.space(name), ours, theirs) for name, (_, _, addresses) in members.items()
            for ours, theirs in zip(BOTH.gateway, addresses)]
    with contextlib.ExitStack() as stack:
        to_hosts = [stack.enter_context(Stream(gateway.space, space, theirs))
                    for space, _, theirs in ends]
        from_hosts = [stack.enter_context(Stream(space, gateway.space, ours, port=7100 + number))
                      for number, (space, ours, _) in enumerate(ends)]
        for streams in [from_hosts, to_hosts] if starts == "hosts" else [to_hosts, from_hosts]:
            for stream in streams:
                stream.send(20)
            for stream in streams:
                stream.assert_each_once()
    assert shown(gateway, "old") == (1, 1)
    assert shown(gateway, "new")[0] == 2
    assert_balanced(gateway)
