# SPDX-License-Identifier: Apache-2.0
"""Version 2 certificates with real Nebula 1.11.0: several overlay addresses a host, of both families,
and hosts of both versions on one gateway."""

import itertools
from dataclasses import dataclass

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
