# SPDX-License-Identifier: Apache-2.0
"""The inside device with offloads and without gives the same streams, and the same packets."""

import contextlib
import hashlib
import os
import random
import socket
import struct
import threading

import pytest

from lab.capture import InsideTap, checksums_right
from lab.lab import GATEWAY, HOST
from lab.metrics import assert_balanced
from lab.process import wait_for
from lab.traffic import ping, udp_socket
from lab.vhost import NEEDS_VHOST

SOL_UDP, UDP_SEGMENT, UDP_GRO = 17, 103, 104
MTU = 1300
# The whole of the acceptance: MAGNETAR_OFFLOAD_BYTES=1000000000
STREAM = int(os.environ.get("MAGNETAR_OFFLOAD_BYTES", 24_000_000))
WAYS = [(True, True), (True, False), (False, True), (False, False)]


def two_gateways(lab, sends_whole, takes_whole, device="tun"):
    """Ours on both ends: the left one sends with offloads or without, the right one receives so."""
    left, right = lab.network.add("left", "right")
    lab.network.connect()
    gateways = []
    for role, address, peer, other, offloads, core in (
            ("left", GATEWAY, HOST, "right", sends_whole, 0),
            ("right", HOST, GATEWAY, "left", takes_whole, 1)):
        gateways.append(lab.gateway(
            role, address, static={peer: [lab.network.endpoint(other)]},
            inside={"device": device, "offloads": offloads}, workers={"cores": [core], "control_core": 1 - core}).start())
    assert ping(left, HOST, count=10).lost == 0
    return (*gateways, left, right)


def pieces(total, seed):
    """The stream: writes of very different sizes, the same whenever the seed is."""
    source = random.Random(seed)
    block = source.randbytes(1 << 20)
    while total > 0:
        size = min(total, source.choice((1, 7, 100, 1248, 1249, 20_000, 65_536, 300_000)))
        start = source.randrange(len(block) - size)
        yield block[start:start + size]
        total -= size


def tcp_stream(sender, receiver, address, total, seed):
    """Hashes of what one end wrote and the other read, one after the other."""
    with receiver.entered():
        listener = socket.create_server((address, 7100 + seed))
    read = hashlib.sha256()

    def drain():
        connection, _ = listener.accept()
        connection.settimeout(60)
        with connection:
            while data := connection.recv(1 << 20):
                read.update(data)

    reader = threading.Thread(target=drain)
    reader.start()
    written = hashlib.sha256()
    with sender.entered():
        source = socket.create_connection((address, 7100 + seed), timeout=60)
    with source:
        for piece in pieces(total, seed):
            written.update(piece)
            source.sendall(piece)
    reader.join(120)
    listener.close()
    return written.hexdigest(), read.hexdigest()


def receive_some(sink, count):
    got = []
    with contextlib.suppress(TimeoutError):
        while len(got) < count:
            got.append(sink.recv(65536))
    return got


def udp_stream(sender, receiver, address, rounds=200):
    """Datagrams sent many at once, one kind in a round; what of them did not arrive as it was. A
    queue that TCP has filled may drop some: such a round is sent again."""
    wrong = []
    with udp_socket(receiver, (address, 7200), 0.5) as sink, udp_socket(sender) as source:
        choice = random.Random(rounds)
        for number in range(rounds):
            size, count = choice.choice((1, 64, 700, 1272)), choice.choice((1, 2, 31, 40))
            last = choice.randrange(1, size + 1)
            sent = [struct.pack("!I", number * 100 + i).ljust(size, b"x")[:size]
                    for i in range(count - 1)] + [b"y" * last]
            source.setsockopt(SOL_UDP, UDP_SEGMENT, size)
            for _ in range(20):
                source.sendto(b"".join(sent), (address, 7200))
                got = receive_some(sink, len(sent))
                rest = iter(sent)
                if not all(datagram in rest for datagram in got):
                    wrong.append((number, size, count, last))
                if len(got) == len(sent):
                    break
            else:
                wrong.append((number, "lost again and again"))
    return wrong


@pytest.mark.parametrize("device", ["tun", pytest.param("vhost", marks=NEEDS_VHOST)])
@pytest.mark.parametrize("sends_whole,takes_whole", WAYS,
                         ids=lambda whole: "whole" if whole else "single")
def test_streams_arrive_as_they_were_sent(lab, sends_whole, takes_whole, device):
    one, other, left, right = two_gateways(lab, sends_whole, takes_whole, device)
    results = {}

    def run(name, work, *arguments):
        results[name] = work(*arguments)

    jobs = [threading.Thread(target=run, args=(name, *rest)) for name, *rest in (
        ("there", tcp_stream, left, right, HOST, STREAM, 1),
        ("back", tcp_stream, right, left, GATEWAY, STREAM // 4, 2),
        ("datagrams", udp_stream, left, right, HOST))]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    for name in ("there", "back"):
        written, read = results[name]
        assert written == read, name
    assert results["datagrams"] == []
    for gateway in (one, other):
        assert_balanced(gateway)
        assert gateway.metrics().drops()["bad_offload"] == 0
    offloads = {port["side"]: port["offloads"] for port in one.ask("status")["ports"]}
    assert ("tso4" in offloads["inside"]) == sends_whole


def steps_by_one(numbers):
    return all((b - a) % 65536 == 1 for a, b in zip(numbers, numbers[1:]))


def in_order(segments):
    """What a stream's packets hold, each place once, by sequence number."""
    first = struct.unpack("!I", segments[0][24:28])[0]
    text = {(struct.unpack("!I", packet[24:28])[0] - first) % (1 << 32):
            packet[20 + (packet[32] >> 4) * 4:] for packet in segments}
    return b"".join(text[at] for at in sorted(text))


def test_packets_cut_here_are_those_the_kernel_cuts(lab):
    """The same sends, seen packet for packet where the other end writes one at a time."""
    one, other, left, right = two_gateways(lab, True, False)
    captures = []
    for whole in (True, False):
        if not whole:
            one.stop()
            one.settings["inside"]["offloads"] = False
            one.start()
            wait_for(lambda: ping(left, HOST, count=1).lost == 0, "a tunnel again")
        with InsideTap(right, other.DEVICE, 7200) as tap:
            assert udp_stream(left, right, HOST, rounds=60) == []
            datagrams = tap.read()
        with InsideTap(right, other.DEVICE, 7103) as tap:
            written, read = tcp_stream(left, right, HOST, 1_000_000, 3)
            assert written == read
            segments = tap.read()
        for packet in datagrams + segments:
            assert len(packet) <= MTU and len(packet) == struct.unpack("!H", packet[2:4])[0]
            assert checksums_right(packet), packet.hex()
        # But what the kernel chooses anew each time: identification, source port and what covers
        # them.
        captures.append([packet[:4] + packet[6:10] + packet[12:20] + packet[22:26] + packet[28:]
                         for packet in datagrams])
        bulk = [packet for packet in segments if len(packet) > 20 + (packet[32] >> 4) * 4]
        assert steps_by_one([struct.unpack("!H", packet[4:6])[0] for packet in bulk])
        assert max(map(len, bulk)) == MTU
        assert all(packet[32] >> 4 == 8 for packet in bulk), "timestamps are on every one"
        assert in_order(bulk) == b"".join(pieces(1_000_000, 3))
    assert captures[0] == captures[1]
    assert captures[0]


def test_datagrams_that_arrive_together_are_read_together(lab):
    """The kernel gets them whole: who asks for it reads many with one call."""
    _, _, left, right = two_gateways(lab, True, True)
    with udp_socket(right, (HOST, 7300)) as sink, udp_socket(left) as source:
        sink.setsockopt(SOL_UDP, UDP_GRO, 1)
        source.setsockopt(SOL_UDP, UDP_SEGMENT, 1000)

        def some_are_whole():
            source.sendto(b"z" * 32_000, (HOST, 7300))
            sizes = []
            while sum(sizes) < 32_000:
                sizes.append(len(sink.recv(65536)))
            return max(sizes) > 1000

        wait_for(some_are_whole, "datagrams that come together")
