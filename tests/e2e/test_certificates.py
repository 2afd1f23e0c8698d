# SPDX-License-Identifier: Apache-2.0
"""Real hosts whose certificate must not be let in: no tunnel, no state, one counter each."""

import datetime
import time

import pytest

from lab.lab import GATEWAY, HOST
from lab.metrics import assert_balanced, changed
from lab.nebula import Authority
from lab.process import wait_for
from lab.traffic import ping


def start(lab, identity=None, blocklist=()):
    """The gateway knows where the host is; the host has the given identity."""
    lab.network.add("gateway", "host")
    lab.network.connect()
    gateway = lab.gateway("gateway", GATEWAY, static={HOST: [lab.network.endpoint("host")]},
                          pki={"blocklist": list(blocklist)}).start()
    host = lab.host("host", HOST, identity=identity,
                    static={GATEWAY: [lab.network.endpoint("gateway")]}).start()
    return gateway, host


def assert_refused(gateway, host, reason):
    """The host's stage 1 and its answer to ours are both refused for this reason."""
    before = gateway.metrics().drops()
    assert ping(host.space, GATEWAY, count=3).received == 0
    costs = changed(before, gateway.metrics().drops())
    assert costs.get(f"control:{reason}", 0) > 0, costs
    assert gateway.tunnels() == []
    assert gateway.tunnels("pending") == [], "a refused stage 1 leaves nothing behind"

    before = gateway.metrics().drops()
    assert ping(gateway.space, HOST, count=3).received == 0
    assert gateway.tunnels() == []
    assert gateway.metrics().total("magnetar_handshakes_total", result="ok") == 0
    wait_for(lambda: not gateway.tunnels("pending"), "our own attempt to be given up", timeout=20)
    assert gateway.running()
    assert_balanced(gateway)


def test_certificate_of_an_unknown_authority(lab):
    stranger = Authority(lab.directory / "stranger", "other-ca").sign("stranger", HOST)
    # It trusts our authority, so that it takes our answers: only the gateway has to refuse.
    stranger.ca.write_text(stranger.ca.read_text() + lab.authority.crt.read_text())
    gateway, host = start(lab, stranger)
    assert_refused(gateway, host, "cert_unknown_issuer")


def test_certificate_on_the_blocklist(lab):
    blocked = lab.authority.sign("blocked", HOST)
    gateway, host = start(lab, blocked, [blocked.fingerprint()])
    assert_refused(gateway, host, "cert_blocked")


def test_certificate_that_has_expired(lab):
    # Nebula does not start with an expired certificate, but it goes on with one.
    signed_at = time.time()
    gateway, host = start(lab, lab.authority.sign("short", HOST, duration="6s"))
    wait_for(lambda: time.time() > signed_at + 8, "the certificate to expire", interval=0.1)
    assert_refused(gateway, host, "cert_expired")


def test_certificate_with_the_gateways_own_address(lab):
    twin = lab.authority.sign("twin", GATEWAY)
    lab.network.add("gateway", "host")
    lab.network.connect()
    gateway = lab.gateway("gateway", GATEWAY).start()
    # It looks for a third host, and is told that this one lives at the gateway's address.
    host = lab.host("host", GATEWAY, identity=twin,
                    static={HOST: [lab.network.endpoint("gateway")]}).start()
    before = gateway.metrics().drops()
    assert ping(host.space, HOST, count=3).received == 0
    costs = changed(before, gateway.metrics().drops())
    assert costs.get("control:self_handshake", 0) > 0, costs
    assert gateway.tunnels() == [] and gateway.tunnels("pending") == []


def test_a_host_with_another_cipher(lab):
    lab.network.add("gateway", "host")
    lab.network.connect()
    gateway = lab.gateway("gateway", GATEWAY, tunnels={"cipher": "chachapoly"}).start()
    host = lab.host("host", HOST, static={GATEWAY: [lab.network.endpoint("gateway")]}).start()
    assert ping(host.space, GATEWAY, count=3).received == 0
    assert gateway.tunnels("up") == [] or \
        wait_for(lambda: not gateway.tunnels("pending"), "no attempt to stay")
    assert gateway.running()
    assert_balanced(gateway)


@pytest.mark.parametrize("groups", ["", "servers,laptops"], ids=["no-groups", "two-groups"])
def test_what_a_good_certificate_says_is_shown(lab, groups):
    gateway, host = start(lab, lab.authority.sign("host", HOST, groups=groups))
    assert ping(host.space, GATEWAY, count=3).lost == 0
    [tunnel] = gateway.tunnels()
    assert tunnel["groups"] == [g for g in groups.split(",") if g]
    details = host.identity.details()
    assert tunnel["cert_fingerprint"] == details["fingerprint"]
    assert tunnel["cert_expires"][:16] == _utc(details["details"]["notAfter"])[:16]


def _utc(rfc3339):
    moment = datetime.datetime.fromisoformat(rfc3339)
    return moment.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
