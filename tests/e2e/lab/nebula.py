# SPDX-License-Identifier: Apache-2.0
"""Real Nebula: a certificate authority (nebula-cert 1.6.1, so version 1) and hosts of any version."""

import json
import os
import pathlib
import shutil
from dataclasses import dataclass, field

from .process import Daemon, run, wait_for

DEBIAN = "1.6.1"
PORT = 4242


@dataclass(frozen=True)
class Identity:
    """A signed host: where its files are, and its overlay address."""
    name: str
    address: str
    ca: pathlib.Path
    cert: pathlib.Path
    key: pathlib.Path

    def details(self):
        out = run(["nebula-cert", "print", "-json", "-path", self.cert]).stdout
        return json.loads(out)

    def fingerprint(self):
        return self.details()["fingerprint"]


class Authority:
    """A CA whose files live in one directory."""

    def __init__(self, directory, name="lab-ca", hours=24):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.crt = self.directory / f"{name}.crt"
        self.key = self.directory / f"{name}.key"
        run(["nebula-cert", "ca", "-name", name, "-duration", f"{hours}h",
             "-out-crt", self.crt, "-out-key", self.key])

    def sign(self, name, address, *, groups="", duration="12h", prefix=24):
        cert, key = self.directory / f"{name}.crt", self.directory / f"{name}.key"
        run(["nebula-cert", "sign", "-ca-crt", self.crt, "-ca-key", self.key, "-name", name,
             "-ip", f"{address}/{prefix}", "-duration", duration, "-groups", groups,
             "-out-crt", cert, "-out-key", key])
        key.chmod(0o600)
        return Identity(name, address, self.crt, cert, key)


def binary(version, peers_directory):
    """The nebula of this version, or None: Debian's own, else unpacked by fetch-peers."""
    if version == DEBIAN:
        return shutil.which("nebula")
    path = pathlib.Path(peers_directory) / version / "nebula"
    return str(path) if os.access(path, os.X_OK) else None


@dataclass
class Host:
    """A Nebula host in a namespace. `static`: overlay address -> ["underlay:port", ...]."""
    space: object
    identity: Identity
    program: str
    directory: pathlib.Path
    static: dict = field(default_factory=dict)
    cipher: str = "aes"
    device: str = "nebula1"
    log_level: str = "debug"
    _daemon: Daemon = None

    def start(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self.directory / "config.yml"
        config.write_text(self._config())
        self._daemon = Daemon(self.space.command(self.program, "-config", config),
                              self.directory / "nebula.log")
        # The daemon adds its address last but for the routes, and then reads the device.
        self._daemon.wait_until(self._addressed, f"{self.device} to have its address")
        return self

    def _addressed(self):
        shown = self.space.ip("-o", "address", "show", "dev", self.device, "up", check=False)
        return f" {self.identity.address}/" in shown.stdout

    def _config(self):
        # YAML is a superset of JSON, and 1.6.1 reads it as such.
        rule = {"port": "any", "proto": "any", "host": "any"}
        return json.dumps({
            "pki": {"ca": str(self.identity.ca), "cert": str(self.identity.cert),
                    "key": str(self.identity.key)},
            "static_host_map": self.static,
            "lighthouse": {"am_lighthouse": False, "hosts": []},
            # Room for what arrives while a busy machine keeps it from running.
            "listen": {"host": "::", "port": PORT, "read_buffer": 1 << 25},
            "cipher": self.cipher,
            "tun": {"dev": self.device, "mtu": 1300, "tx_queue": 10000},
            "logging": {"level": self.log_level, "format": "text"},
            "firewall": {"outbound": [rule], "inbound": [rule]},
        }, indent=2)

    def pid(self):
        """Of the daemon itself; it runs under `ip netns exec`, which replaces itself."""
        return self._daemon.pid

    def signal(self, number):
        self._daemon.process.send_signal(number)

    def log(self):
        return self._daemon.log() if self._daemon else ""

    def counters(self):
        return ""  # it has none that a test could ask for

    def running(self):
        return self._daemon is not None and self._daemon.running()

    def stop(self):
        if self._daemon:
            self._daemon.stop()
            self._daemon = None
            wait_for(lambda: not self.space.has_link(self.device), f"{self.device} to go away")
