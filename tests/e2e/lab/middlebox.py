# SPDX-License-Identifier: Apache-2.0
"""The wire between the members of a lab, as a switch that a test has in its hand.

Frames are carried from node to node as they are, so everyone sees the true addresses of the others.
A Nebula packet that a rule chooses (by its header, sender and receiver) is held, dropped or
repeated; what no rule chooses passes at once. Tests wait for what has been seen or held, never for
time.
"""

import contextlib
import os
import select
import socket
import threading
from dataclasses import dataclass

from .capture import ETH_P_ALL, parse_udp
from .process import wait_for
from .wire import HANDSHAKE, HEADER, Header

_PACKET_IGNORE_OUTGOING = 23
_SOL_PACKET = 263


@dataclass(frozen=True)
class Packet:
    """A Nebula packet on its way from one role to another."""
    source: str
    destination: str
    header: Header
    payload: bytes  # of the UDP datagram: header and all
    frame: bytes

    def __str__(self):
        head = self.header
        return (f"{self.source} > {self.destination} type {head.type}/{head.subtype} "
                f"index {head.index:08x} counter {head.counter} {len(self.payload)} bytes")


@dataclass(frozen=True)
class Kind:
    """Which packets; None: any."""
    type: int = None
    counter: int = None
    source: str = None
    destination: str = None
    subtype: int = None

    def __contains__(self, packet):
        has = (packet.header.type, packet.header.counter, packet.source, packet.destination,
               packet.header.subtype)
        wants = (self.type, self.counter, self.source, self.destination, self.subtype)
        return all(want is None or want == have for want, have in zip(wants, has))


def stage_1(source=None, destination=None):
    return Kind(HANDSHAKE, 1, source, destination)


def stage_2(source=None, destination=None):
    return Kind(HANDSHAKE, 2, source, destination)


class _Rule:
    """What happens to the next `count` packets of a kind: each passes `copies` times."""

    def __init__(self, kind, copies, count=None):
        self.kind = kind
        self._copies = copies
        self._left = count
        self.taken = []

    def take(self, packet):
        """How often the packet passes; None: it is not this rule's."""
        if self._left == 0 or packet not in self.kind:
            return None
        if self._left is not None:
            self._left -= 1
        self.taken.append(packet)
        return self._copies

    def end(self):
        self._left = 0


class Held:
    """Packets that wait in the middle. Those of the same bytes and receiver wait as one."""

    def __init__(self, box, rule):
        self._box = box
        self._rule = rule
        self._gone = set()

    def packets(self):
        distinct = {(one.destination, one.payload): one for one in list(self._rule.taken)}
        return [one for key, one in distinct.items() if key not in self._gone]

    def wait(self, count=1, timeout=5):
        """The packets, once there are that many."""
        return wait_for(lambda: len(self.packets()) >= count and self.packets(),
                        f"{count} of {self._rule.kind} to be held", timeout)

    def release_first(self):
        """Lets the oldest go; those that come later still wait, and copies of it are lost."""
        first = self.wait()[0]
        self._gone.add((first.destination, first.payload))
        self._box.pass_on(first)
        return first

    def release(self):
        """Lets all go, in order, and later ones pass."""
        with self._box.lock:
            self._rule.end()
            for packet in self.packets():
                self._box.pass_on(packet)
            self._rule.taken.clear()

    def discard(self):
        """Forgets all; later ones pass."""
        with self._box.lock:
            self._rule.end()
            self._rule.taken.clear()


class Middlebox:
    """Carries frames between the wires that end in `space`. `addresses`: {underlay address: role};
    each wire is called by its role."""

    def __init__(self, space, addresses, port=4242):
        self._addresses = addresses
        self._port = port
        self._wires = {}
        self.lock = threading.RLock()
        self._rules = []
        self._seen = []
        for role in dict.fromkeys(addresses.values()):
            with space.entered():
                wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            wire.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            wire.bind((role, ETH_P_ALL))
            wire.setblocking(False)
            self._wires[role] = wire
        self._homes = {}  # MAC address: role
        self._wake, self._woken = os.pipe()
        self._thread = threading.Thread(target=self._carry, name="middlebox", daemon=True)
        self._thread.start()

    def close(self):
        os.write(self._woken, b"x")
        self._thread.join()
        os.close(self._wake)
        os.close(self._woken)
        for wire in self._wires.values():
            wire.close()

    # Rules: the newest that chooses a packet decides.

    def hold(self, kind):
        return Held(self, self._add(_Rule(kind, 0)))

    def drop(self, kind, count=1):
        """Drops the next `count`; returns the list that they are noted in."""
        return self._add(_Rule(kind, 0, count)).taken

    def repeat(self, kind, count=1, copies=2):
        """The next `count` pass `copies` times each; returns the list that they are noted in."""
        return self._add(_Rule(kind, copies, count)).taken

    def reset(self):
        """No rule, nothing held, nothing seen."""
        with self.lock:
            self._rules.clear()
            self._seen.clear()

    # What came in, whether or not it went on.

    def seen(self, kind):
        with self.lock:
            return [packet for packet in self._seen if packet in kind]

    def wait(self, kind, count=1, timeout=5):
        return wait_for(lambda: len(self.seen(kind)) >= count and self.seen(kind),
                        f"{count} of {kind} to be seen", timeout)

    def story(self, most=200):
        with self.lock:
            return "\n".join(map(str, self._seen[:most]))

    def pass_on(self, packet):
        self._deliver(packet.frame, packet.source)

    def _add(self, rule):
        with self.lock:
            self._rules.insert(0, rule)
        return rule

    def _carry(self):
        readable = {wire.fileno(): (role, wire) for role, wire in self._wires.items()}
        while True:
            ready, _, _ = select.select([self._wake, *readable], [], [])
            if self._wake in ready:
                return
            for number in ready:
                role, wire = readable[number]
                with contextlib.suppress(OSError):  # nothing more to read, or its device has gone
                    while True:
                        self._take(wire.recv(65536), role)

    def _take(self, frame, role):
        with self.lock:
            self._homes[frame[6:12]] = role
            packet = self._parse(frame, role)
            copies = self._decide(packet) if packet else 1
            for _ in range(copies):
                self._deliver(frame, role)

    def _parse(self, frame, role):
        datagram = parse_udp(frame)
        if not datagram or datagram.destination[1] != self._port or len(datagram.payload) < HEADER:
            return None
        return Packet(role, self._addresses.get(datagram.destination[0], "nobody"),
                      Header.parse(datagram.payload), datagram.payload, frame)

    def _decide(self, packet):
        self._seen.append(packet)
        for rule in self._rules:
            copies = rule.take(packet)
            if copies is not None:
                return copies
        return 1

    def _deliver(self, frame, source):
        home = self._homes.get(frame[:6])
        for role, wire in self._wires.items():
            if role != source and home in (None, role):
                with contextlib.suppress(OSError):  # full, or its device has gone: as on any wire
                    wire.send(frame)
