# SPDX-License-Identifier: Apache-2.0
"""A gateway between two real hosts, where a test decides packet by packet what arrives and when.

Streams number their datagrams and begin before there is a tunnel: each has to arrive, once. That
fails when a queue is lost on the way from one attempt to another, or when the two ends come to hold
different keys.
"""

import contextlib
from dataclasses import dataclass

from .gateway import Gateway
from .lab import Lab
from .metrics import assert_balanced, changed
from .middlebox import Middlebox
from .nebula import DEBIAN
from .process import wait_for
from .traffic import Stream, ping

VERSIONS = [DEBIAN, "1.9.3", "1.11.0"]
QUEUED = 20  # each way, before there is a tunnel; real Nebula keeps 100
ADDRESSES = {"gateway": "10.42.0.5", "lower": "10.42.0.3", "higher": "10.42.0.7"}


@dataclass
class Trio:
    """A gateway and two hosts of one version, one below and one above it, on a middlebox."""
    lab: Lab
    box: Middlebox
    gateway: Gateway
    version: str
    identities: dict

    @property
    def old(self):
        """Whether the hosts decide a race, as before 1.7, or keep both tunnels."""
        return self.version == DEBIAN

    def endpoint(self, role):
        return self.lab.network.endpoint(role)

    def host(self, role, **static):
        """A fresh host. `static`: role=[role, ...]; it knows the gateway in any case."""
        known = {"gateway": ["gateway"], **static}
        host = self.lab.host(role, ADDRESSES[role], version=self.version,
                             identity=self.identities[role],
                             static={ADDRESSES[peer]: [self.endpoint(place) for place in places]
                                     for peer, places in known.items()})
        return host.start()

    def knows(self, **static):
        """What the gateway believes of where hosts are."""
        self.gateway.settings["tunnels"]["static"] = {
            ADDRESSES[peer]: [self.endpoint(place) for place in places]
            for peer, places in static.items()}
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
                Stream(there, here, ADDRESSES["gateway"]) as back:
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
        assert ping(self.gateway.space, ADDRESSES[role], count=5).lost == 0
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
def trio(version):
    with Lab() as lab:
        lab.network.add("gateway", "lower", "higher")
        space = lab.network.connect_to_middlebox()
        addresses = {lab.network.address(role): role for role in lab.network.nodes}
        with contextlib.closing(Middlebox(space, addresses)) as box:
            gateway = lab.gateway("gateway", ADDRESSES["gateway"]).start()
            identities = {role: lab.authority.sign(role, ADDRESSES[role])
                          for role in ("lower", "higher")}
            yield Trio(lab, box, gateway, version, identities)
            gateway.stop()
