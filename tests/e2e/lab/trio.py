# SPDX-License-Identifier: Apache-2.0
"""A gateway between two real hosts, where a test decides packet by packet what arrives and when.

Streams number their datagrams and begin before there is a tunnel: each has to arrive, once. That
fails when a queue is lost on the way from one attempt to another, or when the two ends come to hold
different keys.
"""

import contextlib
from dataclasses import dataclass

from . import nebula
from .gateway import Gateway
from .lab import Lab
from .metrics import assert_balanced, changed
from .middlebox import Middlebox
from .process import wait_for
from .traffic import Stream, ping

QUEUED = 20  # each way, before there is a tunnel; real Nebula keeps 100
ADDRESSES = {"gateway": "10.42.0.5", "lower": "10.42.0.3", "higher": "10.42.0.7"}
SECOND = {"gateway": "fd42::5", "lower": "fd42::3", "higher": "fd42::7"}  # in version 2 certificates


@dataclass(frozen=True)
class Kin:
    """Who the two hosts are. With version 2 certificates each of the three has a second address."""
    program: str
    certificates: int = 1
    crossed: bool = False  # what hosts send goes to the gateway's second address

    def __str__(self):
        return self.program + ("-v2" if self.certificates == 2 else "") + \
            ("-crossed" if self.crossed else "")

    def addresses(self, role):
        """Of a member; the first decides a race."""
        return [ADDRESSES[role], SECOND[role]] if self.certificates == 2 else [ADDRESSES[role]]


KINS = [Kin(nebula.DEBIAN), Kin("1.9.3"), Kin(nebula.TODAY), Kin(nebula.TODAY, 2),
        Kin(nebula.TODAY, 2, crossed=True)]


@dataclass
class Trio:
    """A gateway and two hosts of one kin, one below and one above it, on a middlebox."""
    lab: Lab
    box: Middlebox
    gateway: Gateway
    kin: Kin
    identities: dict

    @property
    def version(self):
        return self.kin.program

    @property
    def old(self):
        """Whether the hosts decide a race, as before 1.7, or keep both tunnels."""
        return self.version == nebula.DEBIAN

    def known(self, places):
        """What a configuration says of where peers are: {overlay address: endpoints}."""
        return {address: [self.endpoint(place) for place in found]
                for peer, found in places.items() for address in self.kin.addresses(peer)}

    def endpoint(self, role):
        return self.lab.network.endpoint(role)

    def host(self, role, **static):
        """A fresh host. `static`: role=[role, ...]; it knows the gateway in any case."""
        return self.lab.host(role, None, version=self.version, identity=self.identities[role],
                             static=self.known({"gateway": ["gateway"], **static})).start()

    def knows(self, **static):
        """What the gateway believes of where hosts are."""
        self.gateway.settings["tunnels"]["static"] = self.known(static)
        self.gateway.write_config()
        self.gateway.ask("reload")

    def tunnels(self, role):
        return [row for row in self.gateway.tunnels()
                if ADDRESSES[role] in row["overlay_addresses"]]

    def wait_tunnels(self, role, count):
        wait_for(lambda: len(self.tunnels(role)) == count, f"{count} tunnels with {role}")

    @contextlib.contextmanager
    def streams(self, role):
        """To the host, and to the gateway; both with packets that wait once this is entered."""
        here, there = self.gateway.space, self.lab.space(role)
        with Stream(here, there, ADDRESSES[role]) as out, \
                Stream(there, here, (SECOND if self.kin.crossed else ADDRESSES)["gateway"]) as back:
            yield out, back

    def refusals(self, before):
        """What the gateway has dropped since its metrics were `before`, by reason."""
        return changed(before, self.gateway.metrics().drops())

    def settle(self, role, *streams):
        """All that was sent has come, the tunnel goes on working, nothing is pending, sums hold."""
        for stream in streams:
            stream.assert_each_once()
        for stream in streams:
            stream.send(QUEUED)
            stream.assert_each_once()
        for address in self.kin.addresses(role):
            assert ping(self.gateway.space, address, count=5).lost == 0
        assert self.gateway.tunnels("pending") == []
        assert_balanced(self.gateway)

    def clear(self):
        """No tunnel, no attempt, no host, no rule."""
        for role in ("lower", "higher"):
            self.gateway.command("close", ADDRESSES[role])
            if role in self.lab.members:
                self.lab.members.pop(role).stop()
        wait_for(lambda: not self.gateway.ask("tunnels"), "the gateway to be without tunnels")
        self.box.reset()


@contextlib.contextmanager
def trio(kin):
    with Lab() as lab:
        lab.network.add("gateway", "lower", "higher")
        space = lab.network.connect_to_middlebox()
        addresses = {lab.network.address(role): role for role in lab.network.nodes}
        authority = lab.authority if kin.certificates == 1 else lab.new_authority("ca2")
        identities = {role: authority.sign(role, *kin.addresses(role)) for role in ADDRESSES}
        with contextlib.closing(Middlebox(space, addresses)) as box:
            gateway = lab.gateway("gateway", None, identity=identities["gateway"]).start()
            yield Trio(lab, box, gateway, kin, identities)
            gateway.stop()
