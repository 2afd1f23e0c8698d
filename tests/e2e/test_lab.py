# SPDX-License-Identifier: Apache-2.0
"""The lab itself: two real Nebula hosts. When this fails, look at the machine, not at Magnetar."""

from lab.capture import Sniffer
from lab.lab import GATEWAY, HOST
from lab.traffic import iperf3, ping, send_forged, udp_sequence
from lab.wire import MESSAGE, Header


def test_two_real_nebula_hosts_talk(bare_lab, figure):
    lab = bare_lab
    one, two = lab.network.add("one", "two")
    lab.network.connect()
    lab.host("one", GATEWAY, static={HOST: [lab.network.endpoint("two")]}).start()
    lab.host("two", HOST, static={GATEWAY: [lab.network.endpoint("one")]}).start()

    with Sniffer(one, lab.network.DEVICE) as sniffer:
        assert ping(two, GATEWAY).lost == 0
        captured = sniffer.wait(lambda d: Header.parse(d.payload).type == MESSAGE
                                and d.destination[0] == lab.network.address("one"), "a data packet")
    assert ping(one, HOST).lost == 0
    assert udp_sequence(two, one, GATEWAY, count=200) == list(range(200))
    figure("TCP between two real hosts",
           f"{iperf3(two, one, GATEWAY, lab.directory / 'iperf3.log', seconds=1) / 1e6:.0f} Mb/s")

    with Sniffer(one, lab.network.DEVICE) as sniffer:
        send_forged(two, [captured])
        sniffer.wait(lambda d: d == captured, "the copy that was sent again")
    assert ping(two, GATEWAY, count=5).lost == 0, "a replayed packet does no harm"


def test_three_nodes_share_a_bridge(bare_lab):
    lab = bare_lab
    lab.network.add("one", "two", "three")
    lab.network.connect()
    for address in (lab.network.address("two"), lab.network.address("three", 6)):
        assert ping(lab.space("one"), address, count=3).lost == 0
