# SPDX-License-Identifier: Apache-2.0
"""A whole gateway between two memif ports of DPDK's testpmd, against a testpmd that only forwards.

    core A: testpmd, one lcore        core B: gateway_memif, one worker | testpmd --forward-mode=io
      source  port 0 ------ memif ------> inside
      sink    port 1 <----- memif ------  outside

Both runs have the same source and sink, the same frames and the same kind of ports, and take
turns. docs/performance.md, "Whole gateway", tells what the rows mean.
"""

import argparse
import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HUGEPAGES = pathlib.Path("/proc/sys/vm/nr_hugepages")
FREE_HUGEPAGES = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")
PAGES = 640  # of 2 MiB: two processes, 300 MiB for each and as much to spare
SKIPPED = 77
INNER = 1420
ETHERNET = 14
KINDS = {"copy": "", "zero-copy": ",zero-copy=yes"}  # how the port of the middle is set
SATURATED = 0.8  # a worker that is busy for less waits for others
REFUSED = 0.01  # of what the source makes: when more does not get in, the middle is what limits
MOVED = 1.5  # a cache line takes so many times longer, or less: the cores are elsewhere
NOISY = 2.0
SOURCE = "source and sink"
COUNTS_WAIT = 5.0
TRIES = 3
# Nothing else has the two cores while this runs, as far as that can be had by asking.
NICE = ["nice", "-n", "-20"]


class Wrong(Exception):
    """A run that must not count, and why."""


class Unconnected(Wrong):
    """The ports did not find each other: worth another try."""


class Program:
    """A program that is spoken to by its standard input, and answers up to a mark."""

    def __init__(self, command, log, mark):
        self.mark = mark
        self.text = b""
        self.command = command
        self.process = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            start_new_session=True, bufsize=0)

    def read(self, seconds=20):
        """What was said up to the next mark."""
        deadline = time.monotonic() + seconds
        while self.mark not in self.text:
            ready, _, _ = select.select([self.process.stdout], [], [],
                                        max(0, deadline - time.monotonic()))
            more = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not more:
                raise Wrong(f"{self.command[0]} does not answer: {self.text.decode()[-2000:]}")
            self.text += more
        said, _, self.text = self.text.partition(self.mark)
        return said.decode()

    def ask(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        return self.read()

    def close(self):
        """Ends the input; what was said last."""
        self.process.stdin.close()
        try:
            said = self.read()
        except Wrong:
            said = ""
        self.stop()
        return said

    def stop(self):
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Testpmd(Program):
    def __init__(self, core, name, vdevs, options, log):
        super().__init__(
            [*NICE, "stdbuf", "-oL", "dpdk-testpmd", f"--lcores=0@{core},1@{core}", "--no-pci",
             "--in-memory", "--single-file-segments", "--file-prefix", f"magnetar-{name}",
             "-m", 300, "--no-telemetry", "--log-level=warning",
             *(f"--vdev={vdev}" for vdev in vdevs), "--", "-i", "--nb-cores=1",
             "--total-num-mbufs=16384", "--rxd=1024", "--txd=1024", *options], log, b"testpmd> ")
        self.read()

    def ports(self):
        """[(received, sent)] of each port since the start, and when that was."""
        said = self.ask("show port stats all")
        now = time.monotonic()
        received = re.findall(r"RX-packets: (\d+)", said)
        sent = re.findall(r"TX-packets: (\d+)", said)
        if len(received) != 2 or len(sent) != 2:
            raise Wrong(f"testpmd's port statistics make no sense: {said}")
        return [(int(r), int(t)) for r, t in zip(received, sent)], now

    def quit(self):
        self.process.stdin.write(b"quit\n")
        self.stop()


class Source(Testpmd):
    """Sends by port 0 and takes by port 1, both in one loop on one core."""

    def __init__(self, core, socket, log):
        vdevs = [f"net_memif{i},role=server,id={i},socket={socket},socket-abstract=no"
                 for i in range(2)]
        super().__init__(core, "source", vdevs,
                         ["--forward-mode=flowgen", "--flowgen-flows=1",
                          f"--txpkts={INNER + ETHERNET}"], log)
        # Nothing is sent by port 1: of flowgen's two streams this leaves the one from 1 to 0.
        for command in ("port stop 1", "port 1 txq 0 deferred_start on", "port start 1"):
            self.ask(command)

    def wait_for_link(self):
        deadline = time.monotonic() + 5
        while len(re.findall(r"Link status: up", self.ask("show port info all"))) < 2:
            if time.monotonic() > deadline:
                raise Unconnected("the memif ports do not connect")
            time.sleep(0.05)

    def end_sending(self):
        """How much of what it made for the middle was not taken, 0 to 1."""
        said = self.ask("stop")
        port = re.search(r"TX-dropped: (\d+) +TX-total: (\d+)", said)  # of port 0, the first
        if not port or port[2] == "0":
            raise Wrong(f"testpmd's forward statistics make no sense: {said}")
        return int(port[1]) / int(port[2])

    def drain(self):
        """Takes what is left in the sink's ring; the totals of both ports after that."""
        self.ask("set fwd rxonly")
        self.ask("start")
        before, deadline = None, time.monotonic() + COUNTS_WAIT
        while (now := self.ports()[0]) != before and time.monotonic() < deadline:
            before = now
            time.sleep(0.2)
        self.ask("stop")
        return now


class Forwarder(Testpmd):
    """The limit: takes on each port what came on the other, and does nothing with it."""

    def __init__(self, core, vdevs, log):
        super().__init__(core, "forward", vdevs, ["--forward-mode=io", "--auto-start"], log)

    def snapshot(self):
        return None

    def end(self):
        """(what came in, what left, what was dropped) on the way from source to sink."""
        said = self.ask("stop")
        self.quit()
        rows = re.findall(r"RX-packets: (\d+).*?TX-packets: (\d+) +TX-dropped: (\d+)", said, re.S)
        if len(rows) < 2:
            raise Wrong(f"testpmd's forward statistics make no sense: {said}")
        return int(rows[0][0]), int(rows[1][1]), int(rows[1][2])


class Gateway(Program):
    def __init__(self, program, core, control_core, vdevs, log):
        super().__init__([*NICE, program, "--inside", vdevs[0], "--outside", vdevs[1],
                          "--worker-core", core, "--control-core", control_core], log, b"\n")
        self.read()
        self.last = None

    def snapshot(self):
        return json.loads(self.ask("report"))

    def end(self):
        self.last = json.loads(self.close())
        check_law(self.last)
        return (self.last["inside"]["rx_packets"], self.last["outside"]["tx_packets"],
                sum(self.last["drops"].values()))


def check_law(stats):
    """Every packet that came in went out, was dropped for a reason, or was handed up."""
    came = stats["inside"]["rx_packets"] + stats["outside"]["rx_packets"] + stats["injected"]
    went = (stats["inside"]["tx_packets"] + stats["outside"]["tx_packets"] +
            sum(stats["drops"].values()) + stats["punted"])
    if came != went:
        raise Wrong(f"the gateway's counters do not add up: {came} in, {went} out: {stats}")
    strange = set(stats["drops"]) - {"outside_full"}
    if strange or stats["punted"]:
        raise Wrong(f"the gateway dropped or punted what it should send: {stats}")


class Bench:
    def __init__(self, arguments, folder):
        self.arguments = arguments
        self.folder = folder
        self.log = open(folder / "log", "ab")

    def vdevs(self, kind):
        socket = self.folder / "memif.sock"
        return [f"net_memif{i},role=client,id={i},socket={socket},socket-abstract=no"
                f"{KINDS[kind]}" for i in range(2)]

    def run(self, kind, middle_of):
        """DPDK's zero-copy client closes files of its own memory when a port has connected, and
        another that is on its way then cannot (tests/bench/memseg_files.h)."""
        for _ in range(TRIES - 1):
            try:
                return self.try_run(kind, middle_of)
            except Unconnected:
                pass
        return self.try_run(kind, middle_of)

    def try_run(self, kind, middle_of):
        """(ns a packet at the sink, part that the middle did not take, snapshots of the middle
        before and after)."""
        source_core, core = self.arguments.cores
        source = middle = None
        try:
            source = Source(source_core, self.folder / "memif.sock", self.log)
            middle = middle_of(core, self.vdevs(kind))
            source.wait_for_link()
            source.ask("start")
            time.sleep(self.arguments.warm_up)
            first, (before, began) = middle.snapshot(), source.ports()
            time.sleep(self.arguments.seconds)
            last, (after, ended) = middle.snapshot(), source.ports()
            refused = source.end_sending()
            time.sleep(0.2)  # for the middle to empty the ring before it
            (_, sent), (taken, _) = source.drain()  # memif forgets its counters with the peer
            came, went, dropped = middle.end()
            if sent != came or came != went + dropped or went != taken:
                raise Wrong(f"packets are missing: source sent {sent}, middle received {came}, "
                            f"dropped {dropped}, sent {went}, sink received {taken}")
            packets = after[1][0] - before[1][0]
            if packets == 0:
                raise Wrong("no packet arrived")
            source.quit()
            return (ended - began) * 1e9 / packets, refused, first, last
        finally:
            for program in (middle, source):
                if program is not None and program.process.poll() is None:
                    program.process.kill()
                    program.process.wait()

    def limit(self, kind):
        return self.run(kind, lambda core, vdevs: Forwarder(core, vdevs, self.log))

    def gateway(self, kind):
        return self.run(kind, lambda core, vdevs: Gateway(
            self.arguments.program, core, self.arguments.cores[0], vdevs, self.log))

    def hop(self):
        """Nanoseconds from one core to the other."""
        program = pathlib.Path(self.arguments.program).with_name("core_hop")
        done = subprocess.run([*NICE, program, *map(str, self.arguments.cores)], text=True,
                              capture_output=True, timeout=30, check=True)
        return float(done.stdout)

    def pair(self, kind):
        """(limit, gateway, hops before and after them)."""
        before = self.hop()
        limit, ours = self.limit(kind), self.gateway(kind)
        return limit, ours, (before, self.hop())

    def row(self, kind):
        """The pair of runs whose ratio is in the middle, of those during which the machine did not
        move the cores about."""
        pairs, moved = [], 0
        while len(pairs) < self.arguments.runs:
            pair = self.pair(kind)
            if max(pair[2]) < MOVED * min(pair[2]):
                pairs.append(pair)
            elif (moved := moved + 1) > 2 * self.arguments.runs:
                raise Wrong("the two cores are never at rest: no pair of runs can be compared")
        pairs.sort(key=lambda pair: pair[0][0] / pair[1][0])
        each = [{"limit_ns_per_packet": limit[0], "ns_per_packet": ours[0],
                 "share_of_limit": limit[0] / ours[0], "core_hop_ns": hops[1],
                 "stage_cycles": stage_cycles(*ours[2:])}
                for limit, ours, hops in pairs]
        limit, ours, hops = pairs[len(pairs) // 2]
        return make_row(kind, limit, ours, hops[1], each)


def make_row(kind, limit, ours, hop, pairs):
    """Of a pair of runs; `pairs`: all, by their share."""
    limit_ns, limit_refused, _, _ = limit
    ns, refused, first, last = ours
    stages = stage_costs(first, last)
    busy = (last["busy_cycles"] - first["busy_cycles"]) / (last["total_cycles"] -
                                                          first["total_cycles"])
    dearest = max(stages, key=lambda row: row["cycles_per_packet"])["stage"]
    by_gateway = busy >= SATURATED and refused >= REFUSED
    return {"name": f"gateway/aes/{INNER}/memif-{kind}", "pipeline": "gateway-memif",
            "cipher": "aes", "size": str(INNER), "bytes": INNER, "sessions": 1,
            "buffers": f"memif-{kind}", "ns_per_packet": ns,
            "cycles_per_packet": ns * last["tsc_hz"] / 1e9, "packets_per_second": 1e9 / ns,
            "bits_per_second": INNER * 8e9 / ns, "limit": "testpmd io",
            "limit_ns_per_packet": limit_ns, "ratio": ns / limit_ns, "runs": len(pairs), "pairs": pairs,
            "share_of_limit": limit_ns / ns,
            "limited_by": f"gateway, inside {dearest}" if by_gateway else SOURCE,
            "limit_limited_by": "testpmd io" if limit_refused >= REFUSED else SOURCE,
            "worker_busy_ratio": busy, "source_refused_ratio": refused, "core_hop_ns": hop,
            "packets_per_vector": stages[0]["packets_per_vector"],
            "stage_cycles": stage_cycles(first, last)}


def stage_costs(first, last):
    """As `magnetar runtime` shows them, of the pipeline from inside to outside."""
    costs = []
    for before, after in zip(first["stages"], last["stages"]):
        packets, vectors, cycles = (after[key] - before[key]
                                    for key in ("packets", "vectors", "cycles"))
        if after["pipeline"] == "inside" and packets > 0:
            costs.append({"stage": after["stage"], "packets_per_vector": packets / vectors,
                          "cycles_per_packet": cycles / packets})
    if not costs:
        raise Wrong("the gateway counted no packets")
    return costs


def stage_cycles(first, last):
    return {row["stage"]: row["cycles_per_packet"] for row in stage_costs(first, last)}


def print_row(row):
    """The columns of tests/bench/report.cc."""
    ns, limit = row["ns_per_packet"], row["limit_ns_per_packet"]
    print(f"{row['name']:<40} {row['cycles_per_packet']:8.0f} {ns:8.1f} {1e3 / ns:7.2f} "
          f"{row['bytes'] * 8 / ns:7.1f} {limit:9.1f} {ns - limit:+7.1f} {row['ratio']:7.2f}  "
          f"{row['limit']}")
    print(f"  {100 * row['share_of_limit']:.0f} % of what testpmd alone forwards, the median of "
          f"{row['runs']} pairs of runs (limit, gateway, a cache line from core to core, in ns):")
    for pair in row["pairs"]:
        print(f"    {100 * pair['share_of_limit']:4.0f} %  {pair['limit_ns_per_packet']:8.1f} "
              f"{pair['ns_per_packet']:8.1f} {pair['core_hop_ns']:8.1f}")
    limits = [pair["limit_ns_per_packet"] for pair in row["pairs"]]
    if max(limits) > NOISY * min(limits):
        print(f"  do not rely on it: the limit alone varied {max(limits) / min(limits):.1f}-fold, "
              "by other load or by where the cores are")
    print(f"  limited by: {row['limited_by']}; the limit by: {row['limit_limited_by']}")
    print(f"  worker busy {100 * row['worker_busy_ratio']:.0f} %, "
          f"{row['packets_per_vector']:.0f} packets a vector; cycles a packet:")
    for stage, cycles in row["stage_cycles"].items():
        print(f"  inside {stage:<31} {cycles:8.1f}")
    sys.stdout.flush()


def why_not():
    if os.geteuid() != 0:
        return "the whole-gateway bench needs root, for hugepages"
    if not shutil.which("dpdk-testpmd"):
        return "dpdk-testpmd is not installed (package dpdk-dev)"
    if (os.cpu_count() or 1) < 2:
        return "the whole-gateway bench needs two cores"
    return None


class Hugepages:
    """At least PAGES free ones for a while."""

    def __enter__(self):
        self.before = HUGEPAGES.read_text()
        missing = PAGES - int(FREE_HUGEPAGES.read_text())
        if missing > 0:
            HUGEPAGES.write_text(str(int(self.before) + missing))
        return self

    def __exit__(self, *_):
        HUGEPAGES.write_text(self.before)

    @staticmethod
    def enough():
        return int(FREE_HUGEPAGES.read_text()) >= PAGES


def write_json(path, rows):
    """Behind what another program of the suite has written there."""
    path = pathlib.Path(path)
    known = json.loads(path.read_text()) if path.exists() else []
    names = {row["name"] for row in rows}
    path.write_text(json.dumps([row for row in known if row["name"] not in names] + rows, indent=2)
                    + "\n")


def measure(arguments):
    rows, good = [], True
    print(f"{'name':<40} {'cycles':>8} {'ns':>8} {'Mpps':>7} {'Gb/s':>7} {'limit ns':>9} "
          f"{'beyond':>7} {'ratio':>7}  limit")
    for kind in arguments.kinds:
        with tempfile.TemporaryDirectory(prefix="magnetar-bench-") as folder:
            bench = Bench(arguments, pathlib.Path(folder))
            try:
                rows.append(bench.row(kind))
                print_row(rows[-1])
            except Wrong as error:
                good = False
                print(f"FAILED: gateway/aes/{INNER}/memif-{kind}: {error}")
                print((bench.folder / "log").read_text(errors="replace")[-2000:], flush=True)
    if arguments.json:
        write_json(arguments.json, rows)
    return 0 if good else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", nargs="?",
                        default=ROOT / "build" / "tests" / "bench" / "gateway_memif")
    parser.add_argument("--json", metavar="FILE", help="add the rows to this file")
    parser.add_argument("--runs", type=int, default=7, help="pairs of limit and gateway")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each run")
    parser.add_argument("--warm-up", type=float, default=0.5, help="seconds before that")
    parser.add_argument("--cores", type=lambda text: [int(core) for core in text.split(",")],
                        default=[0, 1], help="of source and sink, and of what is between them")
    parser.add_argument("--kind", dest="kinds", action="append", choices=KINDS)
    arguments = parser.parse_args()
    arguments.kinds = arguments.kinds or list(KINDS)
    if reason := why_not():
        print(f"SKIPPED: {reason}")
        return SKIPPED
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # not without giving pages back
    with Hugepages() as pages:
        if not pages.enough():
            print(f"SKIPPED: the machine has no {PAGES} free hugepages to give")
            return SKIPPED
        return measure(arguments)


if __name__ == "__main__":
    sys.exit(main())
