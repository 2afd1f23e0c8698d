# SPDX-License-Identifier: Apache-2.0
"""What Prometheus sees."""

import datetime
import socket

import pytest

from lab.lab import GATEWAY, pair
from lab.metrics import assert_balanced
from lab.process import wait_for
from lab.traffic import ping, udp_socket

PROMISED = [
    "magnetar_build_info", "magnetar_tunnels", "magnetar_handshakes_total",
    "magnetar_handshake_duration_seconds_bucket", "magnetar_packets_total", "magnetar_bytes_total",
    "magnetar_drops_total", "magnetar_worker_busy_ratio", "magnetar_worker_cycles_per_packet",
    "magnetar_punt_queue_depth", "magnetar_punt_dropped_total",
    "magnetar_cert_expiry_timestamp_seconds", "magnetar_ca_expiry_timestamp_seconds",
    "magnetar_port_rx_missed_total", "magnetar_mempool_available",
    "magnetar_config_last_reload_successful",
    "magnetar_config_last_reload_success_timestamp_seconds",
    "magnetar_punted_packets_total", "magnetar_injected_packets_total",
    "magnetar_control_drops_total",
]


@pytest.fixture
def busy(lab):
    gateway, host = pair(lab)
    assert ping(host.space, GATEWAY).lost == 0
    return gateway, host


def test_promtool_likes_them(busy, promtool, lab):
    gateway, _ = busy
    path = lab.directory / "metrics.txt"
    path.write_text(gateway.scrape())
    done = gateway.space.run("sh", "-c", f"'{promtool}' check metrics <'{path}'", check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_every_promised_name_is_there(busy):
    gateway, _ = busy
    missing = set(PROMISED) - gateway.metrics().names()
    assert not missing


def test_they_agree_with_what_happened(busy):
    gateway, host = busy
    before = gateway.metrics()
    assert ping(host.space, GATEWAY, count=50, size=1000).lost == 0
    assert_balanced(gateway)
    after = gateway.metrics()

    def grown(name, **labels):
        return after.total(name, **labels) - before.total(name, **labels)

    for side in ("outside", "inside"):
        for direction in ("rx", "tx"):
            assert grown("magnetar_packets_total", side=side, direction=direction) >= 50
            assert grown("magnetar_bytes_total", side=side, direction=direction) >= 50 * 1028
    assert after.total("magnetar_tunnels", state="up") == 1
    [tunnel] = gateway.tunnels()
    assert tunnel["rx_packets"] >= 150 and tunnel["tx_packets"] >= 150
    assert tunnel["tx_counter"] >= tunnel["tx_packets"]
    details = gateway.identity.details()["details"]
    assert after.total("magnetar_cert_expiry_timestamp_seconds", name="gateway") == \
        pytest.approx(_unix(details["notAfter"]))


def _unix(rfc3339):
    return datetime.datetime.fromisoformat(rfc3339).timestamp()


def test_packets_from_inside_that_cannot_leave_are_counted(busy):
    gateway, _ = busy
    before = gateway.metrics().by("magnetar_drops_total", "reason").get("multicast", 0)
    gateway.space.ip("route", "add", "239.1.2.3/32", "dev", gateway.DEVICE)
    with udp_socket(gateway.space) as source:
        source.sendto(b"to nobody", ("239.1.2.3", 9))
    wait_for(lambda: gateway.metrics().by("magnetar_drops_total", "reason").get("multicast", 0)
             > before, "the multicast packet to be counted")
    assert_balanced(gateway)


def test_the_listener_survives_bad_clients(busy):
    """A client that says nothing, and one that talks nonsense, keep nobody else from a scrape."""
    gateway, host = busy
    with gateway.space.entered():
        silent = socket.create_connection(("127.0.0.1", 9469))
        rude = socket.create_connection(("127.0.0.1", 9469))
    with silent, rude:
        rude.sendall(b"\0" * 1000)
        assert "magnetar_build_info" in gateway.scrape()
    assert ping(host.space, GATEWAY, count=20).lost == 0
