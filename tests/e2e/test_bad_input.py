# SPDX-License-Identifier: Apache-2.0
"""What a hostile network sends: each packet costs one named counter and changes nothing else."""

import random
import struct

import pytest

from lab.capture import Datagram, Sniffer
from lab.lab import GATEWAY, HOST, pair
from lab.metrics import assert_balanced, changed
from lab.process import wait_for
from lab.traffic import ping, send_forged, udp_sequence, udp_socket
from lab.wire import (CLOSE_TUNNEL, CONTROL, HANDSHAKE, HEADER, LIGHTHOUSE, MESSAGE, RECV_ERROR, TAG,
                      TEST, Header, flip)

BODY = bytes(range(64)) + bytes(TAG)
UNKNOWN = 0xDEADBEEF


@pytest.fixture
def tunnel(lab):
    """A gateway and a host with a tunnel between them; both are as before when the test is done."""
    gateway, host = pair(lab)
    assert ping(host.space, GATEWAY, count=5).lost == 0
    before = gateway.tunnels()
    yield gateway, host
    assert gateway.running()
    assert_same_tunnels(before, gateway.tunnels())
    assert ping(host.space, GATEWAY, count=20).lost == 0
    assert ping(gateway.space, HOST, count=20).lost == 0
    assert gateway.metrics().total("magnetar_handshakes_total", result="ok") == 1
    assert_balanced(gateway)


def assert_same_tunnels(before, after):
    what = ("overlay_addresses", "local_index", "remote_index", "remote", "cert_fingerprint")
    assert [[row[key] for key in what] for row in after] == \
        [[row[key] for key in what] for row in before]


def moved(gateway, before, count, what):
    """What drops() moved by, once `count` drops have been counted."""
    def enough():
        now = changed(before, relevant(gateway))
        return now if sum(now.values()) >= count else None
    try:
        return wait_for(enough, what, timeout=5)
    except TimeoutError:
        raise AssertionError(f"{what}: only {changed(before, relevant(gateway))}") from None


def relevant(gateway):
    """Drops, without those that the kernel's own chatter on a device causes at any time."""
    drops = gateway.metrics().drops()
    for noise in ("not_ours", "multicast", "not_our_source"):
        drops.pop(noise, None)
    return drops


CRAFTED = [  # (why, datagram, the counter it costs)
    ("keep-alive of one byte", b"\x01", "punch"),
    ("two bytes", b"\x11\x00", "too_short"),
    ("one short of a header", Header(MESSAGE, UNKNOWN).pack()[:-1], "too_short"),
    ("version 0", Header(MESSAGE, UNKNOWN, version=0).pack() + BODY, "bad_version"),
    ("version 2", Header(MESSAGE, UNKNOWN, version=2).pack() + BODY, "bad_version"),
    ("version 15", Header(MESSAGE, UNKNOWN, version=15).pack() + BODY, "bad_version"),
    ("type 7", Header(7, UNKNOWN).pack() + BODY, "bad_type"),
    ("type 15", Header(15, UNKNOWN).pack() + BODY, "bad_type"),
    ("message of subtype 2", Header(MESSAGE, UNKNOWN, subtype=2).pack() + BODY, "bad_type"),
    ("test of subtype 255", Header(TEST, UNKNOWN, subtype=255).pack() + BODY, "bad_type"),
    ("handshake of subtype 99", Header(HANDSHAKE, 0, 1, subtype=99).pack() + BODY, "bad_type"),
    ("data without a tag", Header(MESSAGE, UNKNOWN, 9).pack(), "too_short"),
    ("data with half a tag", Header(MESSAGE, UNKNOWN, 9).pack() + bytes(TAG - 1), "too_short"),
]


def test_a_malformed_packet_costs_one_counter(lab, tunnel):
    gateway, host = tunnel
    with udp_socket(host.space) as attacker:
        for why, payload, reason in CRAFTED:
            before = relevant(gateway)
            attacker.sendto(payload, (lab.network.address("gateway"), 4242))
            assert moved(gateway, before, 1, why) == {reason: 1}, why


def received(gateway):
    return gateway.metrics().total("magnetar_packets_total", direction="rx", side="outside")


@pytest.mark.parametrize("backend", ["af_packet", "af_xdp", "udp"])
@pytest.mark.parametrize("mtu", [1500, 2200], ids=["fragmented", "oversized"])
def test_garbage_of_every_length(lab, backend, mtu):
    """0 to 2,000 bytes. What exceeds the wire's MTU comes in fragments; with a larger one, whole."""
    gateway, host = pair(lab, mtu=mtu, outside={"backend": backend})
    assert ping(host.space, GATEWAY, count=5).lost == 0
    tunnels, start, before = gateway.tunnels(), received(gateway), gateway.metrics().drops()
    dice = random.Random(1)  # the same garbage every time
    target = (lab.network.address("gateway"), 4242)
    with udp_socket(host.space) as attacker:
        for length in range(2001):
            attacker.sendto(dice.randbytes(length), target)
            # No faster than the gateway takes it: this is no flood. Fragments stay with the kernel.
            if length % 100 == 0 and length <= 1472:
                wait_for(lambda: received(gateway) > start + length,
                         f"garbage up to {length} bytes to be received")
    assert ping(host.space, GATEWAY, count=20).lost == 0
    assert ping(gateway.space, HOST, count=20).lost == 0
    assert_balanced(gateway)
    assert_same_tunnels(tunnels, gateway.tunnels())
    costs = changed(before, gateway.metrics().drops())
    assert costs["punch"] == 2, "lengths 0 and 1"
    for reason in ("too_short", "bad_version", "bad_type"):
        assert costs[reason] > 0, costs


UNAUTHENTICATED = [  # (why, header, the counters it may cost)
    ("stage 1 of garbage", Header(HANDSHAKE, 0, 1), {"control:payload_malformed",
                                                     "control:low_order_key"}),
    ("stage 1 that names an index", Header(HANDSHAKE, UNKNOWN, 1), {"control:stage1_index"}),
    ("stage 2 nobody waits for", Header(HANDSHAKE, UNKNOWN, 2), {"control:stage2_unknown"}),
    ("handshake counter 0", Header(HANDSHAKE, 0, 0), {"control:handshake_counter"}),
    ("handshake counter 3", Header(HANDSHAKE, UNKNOWN, 3), {"control:handshake_counter"}),
    ("handshake counter 99", Header(HANDSHAKE, 0, 99), {"control:handshake_counter"}),
    ("recv_error for nothing", Header(RECV_ERROR, UNKNOWN), {"control:recv_error_unknown"}),
    *((f"type {type_} for an unknown index", Header(type_, UNKNOWN, 9),
       {"control:unknown_index", "control:recv_error_rate_limited"})
      for type_ in (MESSAGE, LIGHTHOUSE, TEST, CLOSE_TUNNEL, CONTROL)),
]


def test_garbage_behind_every_valid_header(lab, tunnel):
    """Random bytes as each kind of packet: one counter each, no state, no answer to a handshake."""
    gateway, host = tunnel
    dice = random.Random(2)
    target = (lab.network.address("gateway"), 4242)
    for why, header, reasons in UNAUTHENTICATED:
        before = relevant(gateway)
        with udp_socket(host.space) as attacker:
            for length in (200, 300, 1400):
                attacker.sendto(header.pack() + dice.randbytes(length), target)
            costs = moved(gateway, before, 3, why)
            answers = drain(attacker)
        assert sum(costs.values()) == 3 and costs.keys() <= reasons, (why, costs)
        if header.type in (HANDSHAKE, RECV_ERROR):
            assert answers == [], why
        assert gateway.tunnels("pending") == [], why


def test_underlay_source_within_the_overlay(lab, tunnel):
    """Such a packet would be sent through the tunnel that it asks for."""
    gateway, host = tunnel
    before = relevant(gateway)
    send_forged(host.space, [Datagram(("10.42.0.9", 4242), (lab.network.address("gateway"), 4242),
                                      Header(HANDSHAKE, 0, 1).pack() + bytes(300))])
    assert moved(gateway, before, 1, "spoofed source") == {"own_overlay_source": 1}


def test_replayed_and_damaged_data_packets(lab, tunnel):
    """Packets of the live tunnel, sent again from the host's own address and port."""
    gateway, host = tunnel
    with Sniffer(host.space, lab.network.DEVICE) as sniffer:
        # More than any replay window of them, so that the first is too old in the end.
        udp_sequence(host.space, gateway.space, GATEWAY, count=9000)
        sent = [d for d in sniffer.read() if d.destination[0] == lab.network.address("gateway")
                and Header.parse(d.payload).type == MESSAGE]
    first, last = sent[0], sent[-1]
    ahead = Header.parse(last.payload)
    ahead = ahead.but(counter=ahead.counter + 500).pack()
    cases = [  # (why, packet, the counter it costs)
        ("the last one again", last.payload, "replayed"),
        ("the first one, long out of the window", first.payload, "too_old"),
        ("a new counter on an old body", ahead + last.payload[HEADER:], "forged"),
        ("one bit of the body", ahead + flip(last.payload, HEADER)[HEADER:], "forged"),
        ("one bit of the tag", ahead + flip(last.payload, -1)[HEADER:], "forged"),
        ("cut by one byte", ahead + last.payload[HEADER:-1], "forged"),
        ("one byte more", ahead + last.payload[HEADER:] + b"\0", "forged"),
        ("damaged as a test", struct.pack("!B", 0x14) + ahead[1:] + last.payload[HEADER:], "forged"),
        ("damaged as a close", struct.pack("!B", 0x15) + ahead[1:] + last.payload[HEADER:], "forged"),
        ("an index nobody has", flip(last.payload, 5), "control:unknown_index"),
    ]
    for why, payload, reason in cases:
        before = relevant(gateway)
        send_forged(host.space, [Datagram(last.source, last.destination, payload)])
        costs = moved(gateway, before, 1, why)
        assert costs == {reason: 1}, why


def test_replay_from_elsewhere_does_not_move_the_tunnel(lab, tunnel):
    gateway, host = tunnel
    with Sniffer(host.space, lab.network.DEVICE) as sniffer:
        assert ping(host.space, GATEWAY, count=1).lost == 0
        packet = sniffer.wait(lambda d: d.destination[0] == lab.network.address("gateway"),
                              "a packet of the tunnel").payload
    counter = Header.parse(packet).counter
    with udp_socket(host.space) as attacker:
        for payload in (packet, Header.parse(packet).but(counter=counter + 9).pack() + packet[16:]):
            before = relevant(gateway)
            attacker.sendto(payload, (lab.network.address("gateway"), 4242))
            moved(gateway, before, 1, "a copy from another port")


def test_unknown_index_is_answered_within_limits(lab, tunnel):
    gateway, host = tunnel
    target = (lab.network.address("gateway"), 4242)
    before = relevant(gateway)
    sent = 500
    with udp_socket(host.space, timeout=2) as attacker:
        attacker.sendto(Header(MESSAGE, UNKNOWN, 7).pack() + BODY, target)
        answer, source = attacker.recvfrom(2048)
        assert source == target
        assert answer == Header(RECV_ERROR, UNKNOWN, 0).pack()
        for number in range(1, sent):
            attacker.sendto(Header(MESSAGE, UNKNOWN ^ number, 7).pack() + BODY, target)
        costs = moved(gateway, before, sent, "all of them to be counted")
        answers = drain(attacker)
    # A burst hands over only so many: what a slow machine has left waiting, the worker drops itself.
    costs.pop("no_session", None)
    assert costs.keys() == {"control:unknown_index", "control:recv_error_rate_limited"}
    assert len(answers) + 1 == costs["control:unknown_index"] < sent / 2


def drain(sink):
    sink.setblocking(False)
    got = []
    try:
        while True:
            got.append(sink.recv(2048))
    except BlockingIOError:
        return got


def test_unauthenticated_close_and_recv_error(lab, tunnel):
    """Neither a bare close with the right index nor a recv_error with a guessed one ends a tunnel."""
    gateway, host = tunnel
    [row] = gateway.tunnels()
    counter = row["rx_packets"] + 1000
    close = Header(CLOSE_TUNNEL, row["local_index"], counter).pack()
    cases = [
        ("bare close", close, "too_short"),
        ("close with a wrong tag", close + bytes(TAG), "forged"),
        ("recv_error for an index the peer never had",
         Header(RECV_ERROR, row["remote_index"] ^ 1).pack(), "control:recv_error_unknown"),
    ]
    from_host = ((lab.network.address("host"), 4242), (lab.network.address("gateway"), 4242))
    for why, payload, reason in cases:
        before = relevant(gateway)
        send_forged(host.space, [Datagram(*from_host, payload)])
        assert moved(gateway, before, 1, why) == {reason: 1}, why
    # The right index from the wrong address.
    before = relevant(gateway)
    with udp_socket(host.space) as attacker:
        attacker.sendto(Header(RECV_ERROR, row["remote_index"]).pack(), from_host[1])
    assert moved(gateway, before, 1, "recv_error from elsewhere") == {"control:recv_error_spoofed": 1}
