# SPDX-License-Identifier: Apache-2.0
"""inside.device = "vhost": what it says where there is none, and what it carries where there is."""

import json

import pytest

from lab.lab import GATEWAY, HOST, pair
from lab.metrics import assert_balanced
from lab.process import wait_for
from lab.traffic import iperf3, ping
from lab.vhost import DEVICE, IS_HERE, NEEDS_VHOST


@pytest.mark.skipif(IS_HERE, reason=f"{DEVICE} is here")
def test_where_there_is_none_the_gateway_says_what_to_do(lab):
    lab.network.add("gateway", "host")
    lab.network.connect()
    gateway = lab.gateway("gateway", GATEWAY, inside={"device": "vhost"})
    done = gateway.run_to_end()
    said = done.stdout + done.stderr
    assert done.returncode == 3, said
    for part in (DEVICE, "modprobe vhost_net", "pass the device into a container",
                 'inside.device = "tun"'):
        assert part in said
    assert gateway.DEVICE not in gateway.space.ip("link").stdout


def tap_packets(gateway, direction):
    shown = gateway.space.ip("-s", "-j", "link", "show", gateway.DEVICE).stdout
    return json.loads(shown)[0]["stats64"][direction]["packets"]


@NEEDS_VHOST
@pytest.mark.parametrize("offloads", [True, False], ids=["whole", "single"])
@pytest.mark.parametrize("queues,workers", [(1, 1), (1, 2), (2, 2)])
def test_it_carries_what_a_tun_device_carries(lab, offloads, queues, workers, figure):
    gateway, host = pair(lab, inside={"device": "vhost", "offloads": offloads, "queues": queues},
                         workers={"cores": [0, 1][-workers:]})
    assert ping(host.space, GATEWAY, count=50).lost == 0
    assert ping(gateway.space, HOST, count=50).lost == 0
    for title, reverse in (("in", False), ("out", True)):
        rate = iperf3(host.space, gateway.space, GATEWAY, lab.directory / "iperf3.log", seconds=3,
                      reverse=reverse)
        figure(f"TCP {title}", f"{rate / 1e6:.0f} Mb/s")
        assert rate > 1e6
    inside = {port["side"]: port for port in gateway.ask("status")["ports"]}["inside"]
    assert inside["backend"] == "vhost"
    assert inside["queues"] == queues
    assert inside["offloads"] == ("checksum, tso4, tso6" if offloads else "checksum")
    assert "NOARP" in gateway.space.ip("link", "show", gateway.DEVICE).stdout
    # Packets of ours for each of the kernel's, out of it and into it.
    for title, ours, kernels in (("out of", "rx", "tx"), ("into", "tx", "rx")):
        ratio = (gateway.metrics().total("magnetar_packets_total", side="inside", direction=ours)
                 / tap_packets(gateway, kernels))
        figure(f"packets at once {title} the kernel", f"{ratio:.1f}")
        assert ratio > 1.2 if offloads else ratio < 1.01
    drops = gateway.metrics().drops()
    assert drops["bad_offload"] == drops["inside_malformed"] == 0
    assert_balanced(gateway)
    assert gateway.stop() == 0
    wait_for(lambda: gateway.DEVICE not in gateway.space.ip("link").stdout, "its TAP to go")
