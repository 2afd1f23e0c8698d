# SPDX-License-Identifier: Apache-2.0
"""Network namespaces, the links between them, and what has to go away afterwards.

Names are `<prefix>-<pid>-<role>`: a later run tells by the pid what a killed one left behind.
"""

import contextlib
import ctypes
import os
import pathlib
import re
import shutil
import signal
import tempfile

from .process import run, wait_for

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """One network namespace."""

    def __init__(self, name):
        self.name = name

    def create(self):
        run(["ip", "netns", "add", self.name])
        self.ip("link", "set", "lo", "up")
        # Addresses have to be usable at once: no duplicate address detection.
        self.run("sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0",
                 "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.default.accept_ra=0")
        return self

    def command(self, *command):
        """`command` as it has to be started to run in here."""
        return ["ip", "netns", "exec", self.name, *map(str, command)]

    def run(self, *command, **options):
        return run(self.command(*command), **options)

    def ip(self, *arguments, **options):
        return run(["ip", "-n", self.name, *map(str, arguments)], **options)

    @contextlib.contextmanager
    def entered(self):
        """The calling thread is in here; sockets it opens stay in here."""
        with open("/proc/thread-self/ns/net", "rb") as home, \
                open(f"/run/netns/{self.name}", "rb") as there:
            _setns(there)
            try:
                yield
            finally:
                _setns(home)

    def has_link(self, device):
        return self.ip("link", "show", "dev", device, check=False).returncode == 0

    def delete(self):
        """Ends what still runs in here, then removes it."""
        def processes():
            listed = run(["ip", "netns", "pids", self.name], check=False).stdout.split()
            return [int(pid) for pid in listed]

        for how, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
            for pid in processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, how)
            with contextlib.suppress(TimeoutError):
                wait_for(lambda: not processes(), f"{self.name} to be empty", patience)
                break
        run(["ip", "netns", "delete", self.name], check=False)


def _setns(file):
    if _libc.setns(file.fileno(), _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def available():
    """None when namespaces can be made here, else the reason why not."""
    if os.geteuid() != 0:
        return "needs root for network namespaces"
    name = f"mgt-probe-{os.getpid()}"
    made = run(["ip", "netns", "add", name], check=False)
    run(["ip", "netns", "delete", name], check=False)
    if made.returncode != 0:
        return f"network namespaces cannot be made here: {made.stderr.strip()}"
    if not os.path.exists("/dev/net/tun"):
        return "there is no /dev/net/tun"
    return None


def clean_leftovers(prefix):
    """Removes namespaces and directories of earlier runs whose process is gone; their names."""
    ours = re.compile(rf"{re.escape(prefix)}-(\d+)-\w+")

    def abandoned(name):
        match = ours.fullmatch(name)
        return match and not os.path.exists(f"/proc/{match[1]}")

    listed = run(["ip", "netns", "list"], check=False).stdout.splitlines()
    spaces = [name for name in (line.split()[0] for line in listed if line) if abandoned(name)]
    for name in spaces:
        Namespace(name).delete()
    temporary = pathlib.Path(tempfile.gettempdir())
    for path in filter(lambda path: abandoned(path.name), temporary.glob(f"{prefix}-*")):
        shutil.rmtree(path, ignore_errors=True)
    return spaces


class Network:
    """The outside: nodes on one Ethernet, node N at 192.0.2.N/24 and 2001:db8::N/64 on `eth1`.

    Two nodes share a veth pair; more share a bridge in a namespace of its own.
    """

    DEVICE = "eth1"

    def __init__(self, prefix):
        self._stem = f"{prefix}-{os.getpid()}"
        self.nodes = {}
        self._numbers = {}
        self._middle = None

    def add(self, *roles):
        """Makes a namespace for each role, not yet connected."""
        for role in roles:
            self._numbers[role] = len(self.nodes) + 1
            self.nodes[role] = Namespace(f"{self._stem}-{role}").create()
        return [self.nodes[role] for role in roles]

    def connect(self, queues=1, mtu=1500, offloads=False):
        """Puts all nodes on one Ethernet; each end has `queues` queues, and frames are whole unless
        `offloads` are left to it."""
        spaces = list(self.nodes.values())
        count = ["numtxqueues", queues, "numrxqueues", queues]
        if len(spaces) == 2:
            spaces[0].ip("link", "add", self.DEVICE, *count, "type", "veth",
                         "peer", "name", self.DEVICE, "netns", spaces[1].name, *count)
        else:
            self._connect_to_the_middle(count, mtu)
            self._middle.ip("link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
            self._middle.ip("link", "set", "br0", "mtu", mtu, "up")
            for role in self.nodes:
                self._middle.ip("link", "set", role, "master", "br0")
        self._finish_nodes(mtu, offloads)

    def connect_to_middlebox(self, queues=1, mtu=1500):
        """Each node has a wire of its own that ends, under the name of its role, in the namespace
        returned: whoever is in there carries the frames from one to the other."""
        self._connect_to_the_middle(["numtxqueues", queues, "numrxqueues", queues], mtu)
        self._finish_nodes(mtu)
        return self._middle

    def _connect_to_the_middle(self, count, mtu):
        self._middle = Namespace(f"{self._stem}-middle").create()
        self._middle.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        for role, space in self.nodes.items():
            space.ip("link", "add", self.DEVICE, *count, "type", "veth",
                     "peer", "name", role, "netns", self._middle.name, *count)
            self._middle.ip("link", "set", role, "mtu", mtu, "up")
            self.no_offloads(self._middle, role)

    def _finish_nodes(self, mtu, offloads=False):
        for role, space in self.nodes.items():
            if not offloads:
                self.no_offloads(space, self.DEVICE)
            space.ip("link", "set", self.DEVICE, "mtu", mtu, "up")
            for address in (f"{self.address(role)}/24", f"{self.address(role, 6)}/64"):
                space.ip("address", "add", address, "dev", self.DEVICE,
                         *(["nodad"] if ":" in address else []))

    @staticmethod
    def no_offloads(space, device):
        # A frame that goes to a poll-mode driver must be whole: checksum filled in, not oversized.
        space.run("ethtool", "-K", device, "tx", "off", "tso", "off", "gso", "off", "gro", "off")

    def address(self, role, family=4):
        number = self._numbers[role]
        return f"192.0.2.{number}" if family == 4 else f"2001:db8::{number}"

    def endpoint(self, role, port=4242, family=4):
        """"address:port" as configurations write it."""
        address = self.address(role, family)
        return f"{address}:{port}" if family == 4 else f"[{address}]:{port}"

    def delete(self):
        for space in [*self.nodes.values(), *([self._middle] if self._middle else [])]:
            space.delete()
        self.nodes.clear()
        self._middle = None
