# SPDX-License-Identifier: Apache-2.0
"""A rehandshake under load loses, repeats and reorders nothing.

Each side in turn gets a new certificate while traffic flows, and replaces the tunnel. In CI a few
times; MAGNETAR_REHANDSHAKES=10 for more.
"""

import json
import os
import shutil
import signal

import pytest

from lab.lab import GATEWAY, HOST, pair
from lab.metrics import assert_balanced, changed
from lab.paced import PacedStream
from lab.process import Daemon, wait_for
from lab.traffic import ping

TIMES = int(os.environ.get("MAGNETAR_REHANDSHAKES", "3"))
RATE = 10_000  # datagrams a second, each way


def renew(lab, member, number):
    """A new certificate and key in place of those the member has."""
    fresh = lab.authority.sign(f"renewed{number}", member.identity.address)
    shutil.copy(fresh.cert, member.identity.cert)
    shutil.copy(fresh.key, member.identity.key)


def renewed_by_the_gateway(lab, gateway, host, number):
    renew(lab, gateway, number)
    assert gateway.command("reload").returncode == 0
    return "initiator"


def renewed_by_the_host(lab, gateway, host, number):
    renew(lab, host, number)
    host.signal(signal.SIGHUP)
    return "responder"


def start(lab, version):
    """A pair with a tunnel, and queues that hold what comes while a busy machine looks away."""
    gateway, host = pair(lab, version=version)
    gateway.space.ip("link", "set", "dev", gateway.DEVICE, "txqueuelen", 10000)
    # One: 1.6.1 may mislay what it is given while the answer to its handshake comes.
    assert ping(host.space, GATEWAY, count=1).lost == 0
    return gateway, host


def rehandshakes(lab, gateway, host, how):
    """TIMES of them, each awaited until the old tunnel is gone from use."""
    for number in range(TIMES):
        before = gateway.metrics()
        [old] = [t for t in gateway.tunnels() if t["primary"]]
        role = how(lab, gateway, host, number)

        def replaced():
            now = gateway.metrics()
            done = (now.total("magnetar_handshakes_total", role=role, result="ok")
                    > before.total("magnetar_handshakes_total", role=role, result="ok"))
            used = [t for t in gateway.tunnels() if t["primary"]]
            return done and used and used[0]["local_index"] != old["local_index"]
        wait_for(replaced, f"rehandshake {number}", timeout=25, interval=0.1)


WAYS = pytest.mark.parametrize("peer_version,how", [
    pytest.param("1.6.1", renewed_by_the_gateway, id="gateway-renews-1.6.1"),
    pytest.param("1.11.0", renewed_by_the_gateway, id="gateway-renews-1.11.0"),
    pytest.param("1.11.0", renewed_by_the_host, id="host-renews-1.11.0"),
], indirect=["peer_version"])


@WAYS
def test_a_stream_of_10000_a_second(lab, peer_version, how, figure):
    gateway, host = start(lab, peer_version)
    drops = gateway.metrics().drops()
    streams = [PacedStream(host.space, gateway.space, GATEWAY, 7000, RATE),
               PacedStream(gateway.space, host.space, HOST, 7001, RATE)]
    try:
        rehandshakes(lab, gateway, host, how)
    finally:
        for stream in streams:
            stream.stop()
    figure(f"{TIMES} rehandshakes", f"{[stream.sent for stream in streams]} datagrams")
    faults, costs = [stream.faults() for stream in streams], changed(drops, gateway.metrics().drops())
    if peer_version == "1.6.1":
        # It drops the old tunnel when it answers, and with it what is on the way from us: each such
        # packet it reports with a recv_error, of which the first of each tunnel ends that tunnel.
        told = costs.pop("control:recv_error_unknown", 0) + TIMES
        assert faults[1].pop("lost", 0) <= told
    assert faults == [{}, {}]
    assert not costs
    assert_balanced(gateway)


class PacedTcp:
    """iperf3 one way at a fixed pace, so that nothing but a loss makes TCP send again."""

    def __init__(self, lab, sender, receiver, address, port):
        self._result = lab.directory / f"iperf3-{port}.json"
        self._server = Daemon(receiver.command("iperf3", "-s", "-1", "-B", address, "-p", port),
                              lab.directory / f"iperf3-{port}.log")
        listens = ("ss", "-Hltn", f"sport = :{port}")
        self._server.wait_until(lambda: receiver.run(*listens).stdout.strip(), "iperf3 to listen")
        self._client = Daemon(sender.command("iperf3", "-c", address, "-p", port, "-t", 600,
                                             "--fq-rate", "50M", "-J"), self._result)

    def stop(self):
        """What was sent, as iperf3 tells it."""
        self._client.stop(signal.SIGINT)
        self._server.stop()
        return json.loads(self._result.read_text())["end"]["sum_sent"]


@WAYS
def test_tcp(lab, peer_version, how, figure):
    gateway, host = start(lab, peer_version)
    drops = gateway.metrics().drops()
    streams = [PacedTcp(lab, host.space, gateway.space, GATEWAY, 5201),
               PacedTcp(lab, gateway.space, host.space, HOST, 5202)]
    try:
        wait_for(lambda: gateway.metrics().total("magnetar_packets_total", side="inside") > 1000,
                 "TCP to flow")
        rehandshakes(lab, gateway, host, how)
    finally:
        sent = [stream.stop() for stream in streams]
    figure(f"{TIMES} rehandshakes", ", ".join(f"{way['bytes'] / 1e6:.0f} MB" for way in sent))
    costs = changed(drops, gateway.metrics().drops())
    if peer_version == "1.6.1":
        costs.pop("control:recv_error_unknown", 0)  # see above
        del sent[1]
    assert [way["retransmits"] for way in sent] == [0 for _ in sent]
    assert not costs
    assert_balanced(gateway)
