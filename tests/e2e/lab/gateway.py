# SPDX-License-Identifier: Apache-2.0
"""A Magnetar gateway in a namespace: its configuration, its life, and what it tells."""

import contextlib
import json
import os
import pathlib
import signal
import socket

from .metrics import Metrics
from .process import CommandFailed, Daemon, run, wait_for
from .traffic import scrape


def to_toml(table):
    """A nested dict of strings, numbers, booleans, lists and flat dicts as TOML."""
    def value(item):
        if isinstance(item, dict):
            return "{ " + ", ".join(f"{json.dumps(k)} = {value(v)}" for k, v in item.items()) + " }"
        if isinstance(item, list):
            return "[" + ", ".join(map(value, item)) + "]"
        return json.dumps(item)  # JSON's strings, numbers and booleans are TOML's

    return "\n".join(f"[{section}]\n" + "".join(f"{k} = {value(v)}\n" for k, v in keys.items())
                     for section, keys in table.items())


class Gateway:
    """`settings`: section -> keys, on top of what every gateway of the lab has."""

    DEVICE = "magnetar0"

    def __init__(self, space, identity, build, directory, settings):
        self.space = space
        self.identity = identity
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.daemon_path = pathlib.Path(build) / "magnetard"
        self._cli_path = pathlib.Path(build) / "magnetar"
        self.config_path = self.directory / "magnetar.toml"
        self.socket_path = self.directory / "control.sock"
        self.settings = {
            "pki": {"ca": str(identity.ca), "cert": str(identity.cert), "key": str(identity.key)},
            "outside": {"port": "eth1"},
            "inside": {"name": self.DEVICE},
            "workers": {"cores": [1], "control_core": 0},
            "tunnels": {},
            "metrics": {"listen": "127.0.0.1:9469"},
            "control": {"socket": str(self.socket_path)},
        }
        for section, keys in settings.items():
            self.settings.setdefault(section, {}).update(keys)
        self._daemon = None

    @property
    def log_path(self):
        return self.directory / "magnetard.log"

    def write_config(self):
        self.config_path.write_text(to_toml(self.settings))

    def start(self):
        """Starts it and waits until it says, as to systemd, that it is ready."""
        self.write_config()
        notify_path = str(self.directory / "notify.sock")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(notify_path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(notify_path)
            notify.setblocking(False)

            def ready():
                with contextlib.suppress(BlockingIOError):
                    return b"READY=1" in notify.recv(4096).split(b"\n")
                return False

            self._daemon = Daemon(self.space.command(self.daemon_path, "-c", self.config_path),
                                  self.log_path, {"NOTIFY_SOCKET": notify_path})
            self._daemon.wait_until(ready, "it says READY=1", timeout=30)
        return self

    def run_to_end(self, *arguments, timeout=20):
        """Runs the daemon where it is expected to end by itself; its exit status and output."""
        self.write_config()
        return self.space.run(self.daemon_path, "-c", self.config_path, *arguments, check=False,
                              timeout=timeout)

    def stop(self, how=signal.SIGTERM):
        """Exit status; negative for a signal that killed it. None: was not running."""
        if self._daemon is None:
            return None
        daemon, self._daemon = self._daemon, None
        return daemon.stop(how)

    def signal(self, number):
        self._daemon.process.send_signal(number)

    def pid(self):
        """Of the daemon itself; it runs under `ip netns exec`, which replaces itself."""
        return self._daemon.pid

    def running(self):
        return self._daemon is not None and self._daemon.running()

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def counters(self):
        """Its counters in words; for people, so whatever keeps it from telling is told instead."""
        try:
            metrics = self.metrics()
        except (CommandFailed, OSError) as error:
            return f"no counters: {error}"
        drops = {reason: number for reason, number in metrics.drops().items() if number}
        return f"in and out: {metrics.balance()}\ndrops: {drops}"

    def command(self, *arguments):
        """The operator's command, as a person would see it."""
        return run([self._cli_path, "--socket", self.socket_path, *arguments], check=False)

    def ask(self, *arguments):
        """The operator's command with --json: the document."""
        done = run([self._cli_path, "--socket", self.socket_path, "--json", *arguments])
        return json.loads(done.stdout)

    def tunnels(self, state="up"):
        return [row for row in self.ask("tunnels") if row["state"] == state]

    def close(self, address):
        """Closes the tunnels to an overlay address and waits until they are gone."""
        run([self._cli_path, "--socket", self.socket_path, "close", address])
        wait_for(lambda: not [t for t in self.tunnels() if address in t["overlay_addresses"]],
                 f"the tunnel to {address} to be closed")

    def scrape(self):
        return scrape(self.space)

    def metrics(self):
        return Metrics.parse(self.scrape())
