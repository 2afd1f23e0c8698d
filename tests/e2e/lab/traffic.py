# SPDX-License-Identifier: Apache-2.0
"""Traffic through the lab, and what comes of it."""

import contextlib
import json
import random
import select
import socket
import struct
import time
from dataclasses import dataclass

from .capture import checksum
from .process import Daemon, run, wait_for

_FIRST_ANSWER = 0.5  # seconds


@dataclass(frozen=True)
class Pings:
    sent: int
    rtts: dict  # sequence number: seconds, of those answered

    @property
    def received(self):
        return len(self.rtts)

    @property
    def lost(self):
        return self.sent - self.received

    def __str__(self):
        if not self.rtts:
            return f"0 of {self.sent} answered"
        times = [1000 * rtt for rtt in self.rtts.values()]
        return (f"{self.received} of {self.sent} answered, rtt min/avg/max "
                f"{min(times):.2f}/{sum(times) / len(times):.2f}/{max(times):.2f} ms")


def ping(space, address, count=100, interval=0.01, size=56, patience=2.0):
    """Echo requests from `space`, one each `interval`; the last answer is awaited with `patience`.

    Not ping(8): it leaves a few milliseconds after its last packet, which a busy machine takes.

    The second waits a little for the answer to the first: a packet that Nebula 1.6.1 reads from its device at the very
    moment its handshake ends starts another handshake there (two threads, no lock between their looks at
    the host map), and what is on the way to its first tunnel then is lost at its side.
    """
    six = ":" in address
    with space.entered():
        raw = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_RAW,
                            socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)
    identifier = random.getrandbits(16)
    sent, rtts = {}, {}

    def collect(until, enough=count):
        while len(rtts) < enough and (left := until - time.monotonic()) > 0:
            if select.select([raw], [], [], left)[0]:
                number = _answered(raw.recv(65536), six, identifier)
                if number in sent:
                    rtts.setdefault(number, time.monotonic() - sent[number])

    with raw:
        for number in range(count):
            sent[number] = time.monotonic()
            with contextlib.suppress(OSError):  # unreachable just now: not answered either
                raw.sendto(_echo_request(six, identifier, number, size), (address, 0))
            if number == 0:
                collect(sent[number] + _FIRST_ANSWER, enough=1)
            collect(sent[number] + interval)
        collect(time.monotonic() + patience)
    return Pings(count, rtts)


def _echo_request(six, identifier, number, size):
    def message(checksum):
        return struct.pack("!BBHHH", 128 if six else 8, 0, checksum, identifier, number) + bytes(size)
    return message(0 if six else checksum(message(0)))  # the kernel fills in that of ICMPv6


def _answered(packet, six, identifier):
    """The sequence number of an answer to us, else None."""
    start = 0 if six else (packet[0] & 15) * 4
    kind, _, _, theirs, number = struct.unpack("!BBHHH", packet[start:start + 8])
    return number if (kind, theirs) == (129 if six else 0, identifier) else None


def iperf3(client, server, address, log_path, seconds=2, reverse=False):
    """TCP from `client` to `server` (the other way with `reverse`); bits a second that arrived."""
    listener = Daemon(server.command("iperf3", "-s", "-1", "-B", address), log_path)
    try:
        listener.wait_until(
            lambda: server.run("ss", "-Hltn", "sport = :5201").stdout.strip(), "iperf3 to listen")
        done = client.run("iperf3", "-c", address, "-t", seconds, "-J",
                          *(["-R"] if reverse else []), timeout=seconds + 20)
        return json.loads(done.stdout)["end"]["sum_received"]["bits_per_second"]
    finally:
        listener.stop()


def udp_socket(space, bound_to=("0.0.0.0", 0), timeout=10):
    """A UDP socket that lives in `space`, of the family of its address."""
    with space.entered():
        opened = socket.socket(socket.AF_INET6 if ":" in bound_to[0] else socket.AF_INET,
                               socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    opened.bind(bound_to)
    opened.settimeout(timeout)
    return opened


def any_of(address):
    return ("::" if ":" in address else "0.0.0.0", 0)


def udp_sequence(sender, receiver, address, count=1000, size=64, port=7000):
    """Numbered datagrams; returns the numbers in the order in which they arrived."""
    got = []
    with udp_socket(receiver, (address, port), 2) as sink, \
            udp_socket(sender, any_of(address)) as source:
        for number in range(count):
            source.sendto(struct.pack("!I", number).ljust(size, b"\0"), (address, port))
            if number % 32 == 31:  # keep pace with the receiver: it is the path that is tested
                got += _drain(sink, number + 1 - len(got))
        got += _drain(sink, count - len(got))
    return got


class Stream:
    """Numbered datagrams one way, sent now and counted later: what waits is not lost."""

    def __init__(self, sender, receiver, address, port=7000, source=None):
        """`source`: an address of the sender's; none: what its kernel chooses."""
        self._to = (address, port)
        self._sink = udp_socket(receiver, self._to, 0)
        self._source = udp_socket(sender, (source, 0) if source else any_of(address))
        self._sent = 0
        self.received = []  # numbers in the order in which they arrived

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._sink.close()
        self._source.close()

    def send(self, count):
        for number in range(self._sent, self._sent + count):
            self._source.sendto(struct.pack("!I", number), self._to)
        self._sent += count

    def all_arrived(self):
        """Whether each number sent so far has come."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.received.append(struct.unpack("!I", self._sink.recv(64))[0])
        return set(self.received) == set(range(self._sent))

    def assert_each_once(self, timeout=5):
        """Waits until all have come, and tells which have not, or came twice."""
        with contextlib.suppress(TimeoutError):
            wait_for(self.all_arrived, "all numbers", timeout)
        assert sorted(self.received) == list(range(self._sent))


def _drain(sink, want):
    numbers = []
    try:
        while len(numbers) < want:
            numbers.append(struct.unpack("!I", sink.recv(2048)[:4])[0])
    except TimeoutError:
        pass
    return numbers


def send_forged(space, datagrams):
    """Sends Datagrams as they stand, whoever owns their source address and port."""
    with space.entered():
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with raw:
        for datagram in datagrams:
            raw.sendto(_ipv4_udp(datagram), (datagram.destination[0], 0))


def _ipv4_udp(datagram):
    source, destination = (socket.inet_aton(end[0]) for end in
                           (datagram.source, datagram.destination))
    length = 8 + len(datagram.payload)
    udp = struct.pack("!HHHH", datagram.source[1], datagram.destination[1], length, 0)
    pseudo = source + destination + struct.pack("!BBH", 0, socket.IPPROTO_UDP, length)
    right = checksum(pseudo + udp + datagram.payload) or 0xFFFF
    # The kernel fills in total length and header checksum.
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, socket.IPPROTO_UDP, 0)
    return ip + source + destination + udp[:6] + struct.pack("!H", right) + datagram.payload


def scrape(space, address="127.0.0.1", port=9469):
    """The text of /metrics, fetched from within `space`."""
    return run(space.command("curl", "-sS", "--fail", "--max-time", "5",
                             f"http://{address}:{port}/metrics")).stdout
