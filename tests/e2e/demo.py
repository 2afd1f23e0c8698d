# SPDX-License-Identifier: Apache-2.0
"""Behind deploy/demo: the lab of the end-to-end tests, with words around it."""

import signal
import sys

from lab import netns
from lab.lab import GATEWAY, HOST, Lab, pair
from lab.metrics import assert_balanced
from lab.process import CommandFailed
from lab.traffic import iperf3, ping

PREFIX = "mgdemo"
SHOWN = ("magnetar_build_info", "magnetar_tunnels{", "magnetar_handshakes_total{",
         "magnetar_packets_total{", "magnetar_bytes_total{")


class DemoFailed(Exception):
    """Something was not as it has to be."""


def say(text=""):
    print(text, flush=True)


def show_pings(title, space, address):
    result = ping(space, address)
    say(f"   {title}: {result}")
    if result.lost:
        raise DemoFailed(f"{result.lost} pings were lost")


def show_tunnel(gateway, opened_by):
    say()
    for line in gateway.command("tunnels").stdout.splitlines():
        say(f"   {line}")
    [tunnel] = gateway.tunnels()
    if tunnel["initiator"] != (opened_by == "gateway"):
        raise DemoFailed(f"the tunnel was not opened by the {opened_by}")


def show_throughput(lab, gateway, host):
    for title, reverse in (("host to gateway", False), ("gateway to host", True)):
        rate = iperf3(host.space, gateway.space, GATEWAY, lab.directory / "iperf3.log", seconds=3,
                      reverse=reverse)
        say(f"   TCP {title}: {rate / 1e6:.0f} Mb/s")


def show_metrics(gateway):
    text = gateway.scrape()
    for line in text.splitlines():
        dropped = line.startswith("magnetar_drops_total{") and not line.endswith(" 0")
        if line.startswith(SHOWN) or dropped:
            say(f"   {line}")
    assert_balanced(gateway)
    came, went = gateway.metrics().balance()
    say("   every packet is accounted for: "
        + " + ".join(f"{number:.0f} {name}" for name, number in came.items()) + " = "
        + " + ".join(f"{number:.0f} {name}" for name, number in went.items()))


def demonstrate(lab):
    say("== a gateway and an unmodified Nebula host, each in a network namespace")
    gateway, host = pair(lab)
    say(f"   gateway  {GATEWAY}  outside {lab.network.endpoint('gateway')}  magnetard")
    say(f"   host     {HOST}  outside {lab.network.endpoint('host')}  Debian's nebula")

    say("\n== the host opens the tunnel")
    show_pings("host to gateway", host.space, GATEWAY)
    show_pings("gateway to host", gateway.space, HOST)
    show_tunnel(gateway, "host")

    say(f"\n== magnetar close {HOST}; now the gateway opens it")
    gateway.close(HOST)
    show_pings("gateway to host", gateway.space, HOST)
    show_pings("host to gateway", host.space, GATEWAY)
    show_tunnel(gateway, "gateway")

    say("\n== throughput through the tunnel, everything on this machine's cores")
    show_throughput(lab, gateway, host)

    say("\n== what Prometheus scrapes (excerpt)")
    show_metrics(gateway)
    return gateway, host


def explain(lab, gateway, host):
    inside, outside = (" ".join(member.space.command()) for member in (gateway, host))
    say(f"""
== left running; to look around
   build/magnetar --socket {gateway.socket_path} status
   build/magnetar --socket {gateway.socket_path} tunnels
   {inside} ping {HOST}
   {outside} ping {GATEWAY}
   {inside} curl -s http://127.0.0.1:9469/metrics
   logs and configurations: {lab.directory}
   to clean up: deploy/demo --clean
""")


def stop_on(number, _frame):
    raise KeyboardInterrupt(signal.Signals(number).name)


def main(arguments):
    reason = netns.available()
    if reason:
        say(f"demo: {reason}")
        return 3
    left = netns.clean_leftovers(PREFIX)
    if "--clean" in arguments:
        say(f"removed {', '.join(left)}" if left else "there was nothing to clean up")
        return 0
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop_on)
    keep = False
    lab = Lab(PREFIX)
    try:
        gateway, host = demonstrate(lab)
        keep = "--keep" in arguments
        if keep:
            explain(lab, gateway, host)
    except KeyboardInterrupt:
        say("demo: interrupted")
        return 1
    except (DemoFailed, AssertionError, CommandFailed, TimeoutError, OSError, ValueError) as error:
        say(lab.story(2000))
        say(f"demo: failed: {error}")
        return 1
    finally:
        if not keep:
            lab.delete()
    say("demo: ok")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
