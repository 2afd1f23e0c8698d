# SPDX-License-Identifier: Apache-2.0
"""A network on P-256 with real Nebula 1.11.0."""

import base64
from dataclasses import replace

import pytest

from lab.lab import GATEWAY, HOST
from lab.metrics import assert_balanced, changed
from lab.nebula import TODAY
from lab.traffic import iperf3, ping

pytestmark = pytest.mark.usefixtures("today")


def start(lab, ours, theirs, host_settings=None, **settings):
    lab.network.add("gateway", "host")
    lab.network.connect()
    gateway = lab.gateway("gateway", None, identity=ours, **settings,
                          static={HOST: [lab.network.endpoint("host")]}).start()
    host = lab.host("host", None, version=TODAY, identity=theirs, settings=host_settings or {},
                    static={GATEWAY: [lab.network.endpoint("gateway")]}).start()
    return gateway, host


@pytest.mark.parametrize("version", [1, 2])
def test_a_p256_host_and_the_gateway_talk(lab, version, figure):
    authority = lab.new_authority("p256", version, "P256")
    gateway, host = start(lab, authority.sign("gateway", GATEWAY), authority.sign("host", HOST))
    for space, address, initiator in ((host.space, GATEWAY, False), (gateway.space, HOST, True)):
        assert ping(space, address, count=10).lost == 0
        [tunnel] = gateway.tunnels()
        assert tunnel["initiator"] is initiator
        assert (tunnel["cert_version"], tunnel["own_cert_version"]) == (version, version)
        assert tunnel["cert_fingerprint"] == host.identity.fingerprint()
        gateway.close(HOST)
    rate = iperf3(host.space, gateway.space, GATEWAY, lab.directory / "iperf3.log", seconds=1)
    figure("TCP host to gateway", f"{rate / 1e6:.0f} Mb/s")
    assert rate > 20e6
    assert_balanced(gateway)


@pytest.mark.parametrize("version", [1, 2])
def test_hosts_with_both_certificates_on_p256(lab, version):
    """Each has one of either version for its one key, and begins with `version`."""
    authorities = [lab.new_authority(f"p256-{number}", number, "P256") for number in (1, 2)]

    def both(name, address):
        first = authorities[0].sign(name, address)
        return first.and_also(authorities[1].sign(name, address, like=first))

    begins = {"pki": {"initiating_version": version}}
    gateway, host = start(lab, both("gateway", GATEWAY), both("host", HOST), begins, **begins)
    for space, address in ((host.space, GATEWAY), (gateway.space, HOST)):
        assert ping(space, address, count=10).lost == 0
        [tunnel] = gateway.tunnels()
        assert (tunnel["cert_version"], tunnel["own_cert_version"]) == (version, version)
        gateway.close(HOST)


_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of the curve


def _der(tag, content):
    assert len(content) < 0x10000
    size = len(content)
    length = bytes([size]) if size < 0x80 else \
        bytes([0x81, size]) if size < 0x100 else bytes([0x82]) + size.to_bytes(2, "big")
    return bytes([tag]) + length + content


def _elements(der):
    """[(tag, content)] of what stands one after the other."""
    found = []
    while der:
        size, start = der[1], 2
        if size & 0x80:
            start = 2 + (size & 0x7F)
            size = int.from_bytes(der[2:start], "big")
        found.append((der[0], der[start:start + size]))
        der = der[start + size:]
    return found


def _integer(number):
    return _der(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def turned(identity):
    """The same certificate with the other signature that is as good: s becomes the order less s."""
    pem = identity.cert.read_text().splitlines()
    [(outer, content)] = _elements(base64.b64decode("".join(pem[1:-1])))
    *rest, (tag, signature) = _elements(content)
    [(sequence, numbers)] = _elements(signature)
    r, s = (int.from_bytes(number, "big") for _, number in _elements(numbers))
    signature = _der(sequence, _integer(r) + _integer(_ORDER - s))
    der = _der(outer, b"".join(_der(*one) for one in rest) + _der(tag, signature))
    path = identity.cert.with_name(f"{identity.name}-turned.crt")
    path.write_text("\n".join([pem[0], base64.b64encode(der).decode(), pem[-1], ""]))
    return replace(identity, cert=path)


@pytest.mark.parametrize("blocked", ["its-own-fingerprint", "that-of-the-other-form"])
@pytest.mark.parametrize("shows", ["as-signed", "turned"])
def test_cve_2026_25793_both_forms_of_a_blocked_certificate_are_refused(lab, shows, blocked):
    """Whoever has an ECDSA signature can make the other one that is as good, and with it another
    fingerprint. Fails when the host gets in by the form whose fingerprint is not on the list."""
    authority = lab.new_authority("p256", 2, "P256")
    signed = authority.sign("host", HOST)
    forms = {"as-signed": signed, "turned": turned(signed)}
    assert forms["turned"].fingerprint() != signed.fingerprint()
    theirs = forms.pop(shows)
    [other] = forms.values()
    listed = theirs if blocked == "its-own-fingerprint" else other
    gateway, host = start(lab, authority.sign("gateway", GATEWAY), theirs,
                          pki={"blocklist": [listed.fingerprint()]})
    for space, address in ((host.space, GATEWAY), (gateway.space, HOST)):
        before = gateway.metrics().drops()
        assert ping(space, address, count=3, patience=0.3).received == 0
        assert changed(before, gateway.metrics().drops()).get("control:cert_blocked", 0) > 0
        assert gateway.tunnels() == []
    assert_balanced(gateway)


@pytest.mark.parametrize("gateway_curve,host_curve", [("25519", "P256"), ("P256", "25519")])
def test_hosts_of_the_other_curve_are_refused(lab, gateway_curve, host_curve):
    """Both trust both authorities: only the curve keeps them apart."""
    authorities = {curve: lab.new_authority(f"ca-{curve}", 2, curve) for curve in ("25519", "P256")}

    def signed(name, address, curve):
        return authorities[curve].sign(name, address).trusting(*authorities.values())

    gateway, host = start(lab, signed("gateway", GATEWAY, gateway_curve),
                          signed("host", HOST, host_curve))
    for space, address in ((host.space, GATEWAY), (gateway.space, HOST)):
        before = gateway.metrics().drops()
        assert ping(space, address, count=3, patience=0.3).received == 0
        costs = changed(before, gateway.metrics().drops())
        assert set(costs) == {"control:payload_malformed"}, costs
        assert gateway.tunnels() == []
    assert_balanced(gateway)
