# SPDX-License-Identifier: Apache-2.0
"""Behind `tests/run bench-peers`: a pair of gateways against pairs of real Nebula, between the same
two namespaces, in turns, several runs each. Prints a table of medians; --json writes its rows."""

import argparse
import contextlib
import json
import os
import re
import statistics
import sys
import time

from lab import nebula, netns
from lab.lab import GATEWAY, HOST, PEERS, Lab
from lab.process import CommandFailed, Daemon, wait_for
from lab.traffic import ping

PREFIX = "mgbench"
UDP_BYTES = 64
MOST_LOSS_PERCENT = 1.0
TICKS = os.sysconf("SC_CLK_TCK")

# case: unit, digits, whether more is better
CASES = {
    "tcp 1 stream": ("Gb/s", 2, True),
    "tcp 4 streams": ("Gb/s", 2, True),
    "udp 64 B under 1 % loss": ("packets/s", 0, True),
    "ping p50": ("us", 0, False),
    "ping p99": ("us", 0, False),
    "idle CPU, one end": ("% of a core", 1, False),
    "CPU, both ends": ("s/GB", 2, False),
    "memory, one end": ("MiB", 0, False),
}


def ours(lab, offloads=True, backend="auto"):
    for role, address, peer, other, core in (("left", GATEWAY, HOST, "right", 0),
                                             ("right", HOST, GATEWAY, "left", 1)):
        gateway = lab.gateway(role, address, static={peer: [lab.network.endpoint(other)]},
                              outside={"backend": backend}, inside={"offloads": offloads},
                              workers={"cores": [core], "control_core": 1 - core})
        yield gateway.start().pid()


def theirs(lab, version):
    for role, address, peer, other in (("left", GATEWAY, HOST, "right"),
                                       ("right", HOST, GATEWAY, "left")):
        host = lab.host(role, address, version=version,
                        static={peer: [lab.network.endpoint(other)]})
        host.log_level = "info"
        yield host.start().pid()


def cpu_seconds(pids):
    def one(pid):
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS
    return sum(map(one, pids))


def memory_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) / 1024


class Pair:
    """Two ends that have a tunnel, and what can be measured between them."""

    def __init__(self, lab, start, seconds, wire_offloads):
        self._lab, self._seconds = lab, seconds
        self._left, self._right = lab.network.add("left", "right")
        lab.network.connect(offloads=wire_offloads)
        self._pids = list(start(lab))
        wait_for(lambda: ping(self._left, HOST, count=1).lost == 0, "a tunnel", 20)

    def _iperf3(self, *arguments):
        log = self._lab.directory / "iperf3.log"
        server = Daemon(self._right.command("iperf3", "-s", "-1", "-B", HOST), log)
        try:
            server.wait_until(
                lambda: self._right.run("ss", "-Hltn", "sport = :5201").stdout.strip(),
                "iperf3 to listen")
            done = self._left.run("iperf3", "-c", HOST, "-t", self._seconds, "-J", *arguments,
                                  timeout=self._seconds + 30)
            return json.loads(done.stdout)["end"]
        finally:
            server.stop()

    def _tcp(self, streams):
        return self._iperf3("-P", streams)["sum_received"]

    def _udp(self, packets_a_second):
        """What arrived a second, and the loss in percent."""
        rate = packets_a_second * UDP_BYTES * 8
        result = self._iperf3("-u", "-l", UDP_BYTES, "-b", int(rate))["sum"]
        arrived = result["packets"] - result["lost_packets"]
        return arrived / result["seconds"], result["lost_percent"]

    def _udp_of_two(self, packets_a_second):
        """Again if too much is lost: for a moment without its core the reader loses what it can
        hold, at any rate and whoever carries the packets."""
        arrived, lost = self._udp(packets_a_second)
        return (arrived, lost) if lost <= MOST_LOSS_PERCENT else self._udp(packets_a_second)

    def _best_udp(self):
        """The most that arrives while no more than 1 % is lost, by halving."""
        arrived, lost = self._udp(10_000_000)
        if lost <= MOST_LOSS_PERCENT:
            return arrived
        low, high, best = 0.0, 1.3 * arrived, 0.0
        for _ in range(6):
            middle = (low + high) / 2
            arrived, lost = self._udp_of_two(middle)
            if lost <= MOST_LOSS_PERCENT:
                low, best = middle, max(best, arrived)
            else:
                high = middle
        return best

    def _pings(self):
        shown = self._left.run("ping", "-n", "-i", "0.002", "-c", "1000", HOST, check=False).stdout
        times = sorted(1000 * float(found) for found in re.findall(r"time=([\d.]+)", shown))
        return times[len(times) // 2], times[len(times) * 99 // 100]

    def measure(self):
        row = {}
        time.sleep(1)  # what starting left to do
        before = cpu_seconds(self._pids)
        time.sleep(self._seconds)
        row["idle CPU, one end"] = (cpu_seconds(self._pids) - before) / self._seconds * 50
        row["ping p50"], row["ping p99"] = self._pings()
        before = cpu_seconds(self._pids)
        one = self._tcp(1)
        row["tcp 1 stream"] = one["bits_per_second"] / 1e9
        row["CPU, both ends"] = (cpu_seconds(self._pids) - before) / (one["bytes"] / 1e9)
        row["tcp 4 streams"] = self._tcp(4)["bits_per_second"] / 1e9
        row["udp 64 B under 1 % loss"] = self._best_udp()
        row["memory, one end"] = max(map(memory_mib, self._pids))
        return row


def contenders(with_off, backends):
    """Name of its column: how it is started."""
    found = {"ours": ours}
    if with_off:
        found["ours_offloads_off"] = lambda lab: ours(lab, offloads=False)
    for backend in backends:
        found[f"ours_{backend}"] = lambda lab, backend=backend: ours(lab, backend=backend)
    for name, version in (("nebula", nebula.DEBIAN), ("nebula_1.11.0", "1.11.0")):
        if nebula.binary(version, PEERS):
            found[name] = lambda lab, version=version: theirs(lab, version)
        else:
            print(f"bench-peers: nebula {version} is not here: left out", file=sys.stderr)
    return found


def rows_of(measured, runs):
    for case, (unit, _, more_is_better) in CASES.items():
        row = {"case": case, "unit": unit, "runs": runs}
        for name, each in measured.items():
            row[name] = statistics.median(one[case] for one in each)
        if row.get("nebula") and row["ours"]:
            row["ratio"] = (row["ours"] / row["nebula"] if more_is_better
                            else row["nebula"] / row["ours"])
        yield row


def show(rows, names):
    print("| case | unit | " + " | ".join(names) + " | ours better by |")
    print("| --- | --- | " + " | ".join("---:" for _ in names) + " | ---: |")
    for row in rows:
        digits = CASES[row["case"]][1]
        cells = " | ".join(f"{row[name]:,.{digits}f}" for name in names)
        print(f"| {row['case']} | {row['unit']} | {cells} | {row.get('ratio', 0):.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each iperf3 (default: 3)")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--offloads-off", action="store_true", help="a column without them, too")
    parser.add_argument("--backends", nargs="*", default=[], metavar="BACKEND",
                        help="a column for each value of outside.backend, too")
    parser.add_argument("--wire-offloads", action="store_true",
                        help="leave the offloads of the interfaces between the two on")
    arguments = parser.parse_args()
    reason = netns.available()
    if reason:
        print(f"bench-peers: {reason}", file=sys.stderr)
        return 1
    netns.clean_leftovers(PREFIX)
    starts = contenders(arguments.offloads_off, arguments.backends)
    measured = {name: [] for name in starts}
    for run in range(arguments.runs):
        # In turns and in changing order: what the machine does besides falls on all alike.
        for name in list(starts)[::1 if run % 2 == 0 else -1]:
            with Lab(PREFIX) as lab:
                measured[name].append(Pair(lab, starts[name], arguments.seconds,
                                           arguments.wire_offloads).measure())
            with contextlib.suppress(OSError):
                print(f"bench-peers: run {run + 1} of {arguments.runs}: {name}: "
                      f"{measured[name][-1]['tcp 1 stream']:.2f} Gb/s", file=sys.stderr, flush=True)
    rows = list(rows_of(measured, arguments.runs))
    show(rows, list(measured))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (CommandFailed, TimeoutError, OSError, KeyError, IndexError, ValueError) as error:
        print(f"bench-peers: failed: {error}", file=sys.stderr)
        sys.exit(1)
