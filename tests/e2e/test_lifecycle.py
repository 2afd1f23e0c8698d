# SPDX-License-Identifier: Apache-2.0
"""Start, stop and kill: what the gateway leaves behind, and what the other side sees."""

import json
import os
import signal

import pytest

from lab.lab import GATEWAY, HOST, pair
from lab.metrics import assert_balanced
from lab.process import run, wait_for
from lab.traffic import ping, udp_socket

BACKENDS = ["af_packet", "af_xdp", "udp"]


def debris(gateway):
    """What of the gateway is still to be seen in its namespace."""
    found = []
    links = json.loads(gateway.space.ip("-j", "-d", "link", "show").stdout)
    for link in links:
        if link["ifname"] == gateway.DEVICE:
            found.append("the inside device")
        if link.get("xdp"):
            found.append(f"an XDP program on {link['ifname']}")
    if gateway.space.run("ss", "-Hlun", "sport = :4242").stdout.strip():
        found.append("the UDP socket")
    if gateway.space.run("ss", "-Hltn", "sport = :9469").stdout.strip():
        found.append("the metrics listener")
    return found


@pytest.mark.parametrize("backend", BACKENDS)
def test_sigterm_closes_tunnels_and_leaves_nothing(lab, backend):
    gateway, host = pair(lab, outside={"backend": backend})
    assert ping(host.space, GATEWAY, count=5).lost == 0
    assert debris(gateway)
    assert gateway.stop(signal.SIGTERM) == 0
    assert debris(gateway) == []
    assert not gateway.socket_path.exists()

    # The host was told, so its next packet starts a new handshake and is not lost.
    wait_for(lambda: "lose tunnel" in host.log() or "Close tunnel" in host.log(),
             "the host to log the close")
    gateway.start()
    assert ping(host.space, GATEWAY, count=20).lost == 0


def test_sigint_is_as_good(lab):
    gateway, _ = pair(lab)
    assert gateway.stop(signal.SIGINT) == 0
    assert debris(gateway) == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_sigkill_does_not_stop_the_next_start(lab, backend):
    gateway, host = pair(lab, outside={"backend": backend})
    assert ping(host.space, GATEWAY, count=5).lost == 0
    assert gateway.stop(signal.SIGKILL) == -signal.SIGKILL
    # The kernel takes some things away a little later than the process.
    wait_for(lambda: debris(gateway) == [], "devices and sockets to go")

    gateway.start()
    # The gateway knows where the host is; the host takes the new handshake for the old tunnel.
    assert ping(gateway.space, HOST, count=20).lost == 0
    assert ping(host.space, GATEWAY, count=20).lost == 0


def test_the_host_recovers_by_itself_after_a_kill(lab):
    """The host still believes in the old tunnel; recv_error tells it better."""
    gateway, host = pair(lab, knows_host=False)
    assert ping(host.space, GATEWAY, count=5).lost == 0
    gateway.stop(signal.SIGKILL)
    gateway.start()
    wait_for(lambda: ping(host.space, GATEWAY, count=1).lost == 0, "the host to come back", 30)
    assert ping(host.space, GATEWAY, count=20).lost == 0


def test_a_restarted_host_is_taken_back(lab):
    gateway, host = pair(lab)
    for _ in range(2):
        assert ping(host.space, GATEWAY, count=5).lost == 0
        host.stop()
        host.start()
    assert ping(host.space, GATEWAY, count=20).lost == 0
    assert len(gateway.tunnels()) == 1


def test_close_reaches_the_host(lab):
    gateway, host = pair(lab)
    assert ping(host.space, GATEWAY, count=5).lost == 0
    gateway.close(HOST)
    assert gateway.tunnels() == []
    assert gateway.command("close", HOST).returncode == 1, "there is none any more"
    assert ping(host.space, GATEWAY, count=20).lost == 0
    assert gateway.tunnels()[0]["initiator"] is False


def one_line(done):
    [line] = done.stderr.splitlines()
    assert line.startswith("magnetard: ")
    return line


def alone(lab, **settings):
    lab.network.add("gateway", "other")
    lab.network.connect()
    return lab.gateway("gateway", GATEWAY, **settings)


def test_a_missing_interface_is_said_with_its_remedy(lab):
    gateway = alone(lab, outside={"port": "eth7"})
    done = gateway.run_to_end()
    assert done.returncode == 3
    assert "eth7" in one_line(done)
    assert debris(gateway) == []


def test_a_port_in_use_is_said(lab):
    gateway = alone(lab)
    with udp_socket(gateway.space, ("0.0.0.0", 4242)):
        done = gateway.run_to_end()
    assert done.returncode == 3
    assert "4242" in one_line(done)


def test_hugepages_that_are_not_there_are_said(lab):
    if int(open("/proc/sys/vm/nr_hugepages", encoding="ascii").read()) > 0:
        pytest.skip("this machine has hugepages set aside")
    gateway = alone(lab, workers={"memory": "hugepages"})
    done = gateway.run_to_end()
    assert done.returncode == 3
    assert "vm.nr_hugepages" in one_line(done)
    assert debris(gateway) == []


def test_a_second_gateway_does_not_disturb_the_first(lab):
    """Same namespace, same configuration: the second says why not, the first goes on."""
    gateway, host = pair(lab)
    assert ping(host.space, GATEWAY, count=5).lost == 0
    done = gateway.space.run(gateway.daemon_path, "-c", gateway.config_path, check=False, timeout=20)
    assert done.returncode == 3
    assert ping(host.space, GATEWAY, count=20).lost == 0
    assert gateway.ask("status")


def test_the_kernel_keeps_the_rest_of_the_interface(lab):
    """What is not Nebula's stays with Linux: ICMP and other UDP on the outside interface."""
    gateway, host = pair(lab)
    assert ping(host.space, lab.network.address("gateway"), count=20).lost == 0
    assert ping(host.space, lab.network.address("gateway", 6), count=20).lost == 0
    with udp_socket(gateway.space, ("0.0.0.0", 5353)) as sink, udp_socket(host.space) as source:
        source.sendto(b"not nebula", (lab.network.address("gateway"), 5353))
        assert sink.recv(64) == b"not nebula"


def test_a_new_address_and_neighbour_are_followed(lab):
    """The host moves to another MAC address under the same IP: the gateway asks the kernel again."""
    gateway, host = pair(lab)
    assert ping(gateway.space, HOST, count=5).lost == 0
    host.space.ip("link", "set", lab.network.DEVICE, "address", "02:00:00:00:00:99")
    # The host announces itself, as any system does when its address changes.
    assert ping(host.space, lab.network.address("gateway"), count=2).sent == 2
    wait_for(lambda: ping(gateway.space, HOST, count=1).lost == 0, "the tunnel to follow", 20)
    assert ping(gateway.space, HOST, count=20).lost == 0


def test_a_host_that_moves_is_followed(lab):
    """Another underlay address in the middle of a tunnel: no new handshake, nothing lost."""
    gateway, host = pair(lab)
    assert ping(host.space, GATEWAY, count=5).lost == 0
    [before] = gateway.tunnels()
    for change in (("delete", f"{lab.network.address('host')}/24"), ("add", "192.0.2.77/24")):
        host.space.ip("address", *change, "dev", lab.network.DEVICE)
    assert ping(host.space, GATEWAY, count=20).received > 0
    wait_for(lambda: gateway.tunnels()[0]["remote"] == "192.0.2.77:4242", "the tunnel to move")
    assert ping(gateway.space, HOST, count=20).lost == 0
    [after] = gateway.tunnels()
    assert after["local_index"] == before["local_index"]
    assert_balanced(gateway)


def test_reload(lab):
    """What can change while running does; what cannot refuses the whole reload, by name."""
    gateway, host = pair(lab, knows_host=False)
    assert ping(gateway.space, HOST, count=1, patience=0.1).lost == 1
    gateway.settings["tunnels"]["static"] = {HOST: [lab.network.endpoint("host")]}
    gateway.write_config()
    assert gateway.ask("reload") == {"changed": ["tunnels.static"]}
    assert ping(gateway.space, HOST, count=20).lost == 0

    gateway.settings["outside"]["listen_port"] = 4343
    gateway.settings["tunnels"]["static"] = {}
    gateway.write_config()
    refused = gateway.command("reload")
    assert refused.returncode == 1 and "outside.listen_port" in refused.stderr
    assert gateway.metrics().total("magnetar_config_last_reload_successful") == 0
    gateway.close(HOST)
    assert ping(gateway.space, HOST, count=20).lost == 0, "the old configuration is still in use"


def test_sighup_reloads(lab):
    gateway, host = pair(lab, knows_host=False)
    gateway.settings["tunnels"]["static"] = {HOST: [lab.network.endpoint("host")]}
    gateway.write_config()
    gateway.signal(signal.SIGHUP)
    wait_for(lambda: "event=reloaded changes=1" in gateway.log(), "the reload to be logged")
    assert ping(gateway.space, HOST, count=20).lost == 0


def test_operator_commands(lab):
    gateway, host = pair(lab)
    assert ping(host.space, GATEWAY, count=5).lost == 0
    status = gateway.ask("status")
    assert GATEWAY in json.dumps(status)
    for command in ("status", "tunnels", "drops", "runtime"):
        assert gateway.command(command).stdout.strip()
        assert gateway.ask(command)
    assert gateway.command("no-such-command").returncode == 2
    assert gateway.command("close", "10.42.0.250").returncode == 1
    nobody = run([os.fspath(gateway.daemon_path.parent / "magnetar"), "--socket",
                  gateway.directory / "nobody.sock", "status"], check=False)
    assert nobody.returncode == 4 and nobody.stderr.strip()
