# SPDX-License-Identifier: Apache-2.0
"""Real Nebula: certificate authorities of either version and curve, and hosts of any version."""

import ipaddress
import json
import os
import pathlib
import shutil
from dataclasses import dataclass, field, replace

from .process import Daemon, run, wait_for

DEBIAN = "1.6.1"
TODAY = "1.11.0"  # the first here that knows version 2 certificates
PORT = 4242


@dataclass(frozen=True)
class Identity:
    """A signed host: where its files are, and its overlay addresses."""
    name: str
    addresses: tuple
    ca: pathlib.Path
    cert: pathlib.Path
    key: pathlib.Path
    tool: str = "nebula-cert"  # that reads the certificate

    @property
    def address(self):
        """The first, by which a tunnel's ends compare themselves."""
        return self.addresses[0]

    def details(self):
        """Of the certificate; of the first when there are two."""
        shown = json.loads(run([self.tool, "print", "-json", "-path", self.cert]).stdout)
        return shown[0] if isinstance(shown, list) else shown

    def fingerprint(self):
        return self.details()["fingerprint"]

    def trusting(self, *authorities):
        """The same host, which trusts these instead of its own authority alone."""
        return self._with("trusts", [one.crt for one in authorities], [self.cert], self)

    def and_also(self, other):
        """The same host with the certificates of both; `other` was signed for the same key."""
        return self._with("both", [self.ca, other.ca], [self.cert, other.cert], other)

    def _with(self, suffix, cas, certs, says):
        def joined(kind, paths):
            path = self.ca.parent / f"{self.name}-{suffix}-{kind}.crt"
            path.write_text("".join(one.read_text() for one in paths))
            return path
        return replace(says, ca=joined("ca", cas), cert=joined("own", certs), key=self.key)


def _network(address):
    return f"{address}/{24 if ipaddress.ip_address(address).version == 4 else 64}"


class Authority:
    """A CA whose files live in one directory. `tool`: Debian's own nebula-cert knows only version 1
    on Curve25519."""

    def __init__(self, directory, name="lab-ca", hours=24, *, version=1, curve="25519",
                 tool="nebula-cert"):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.crt = self.directory / f"{name}.crt"
        self.key = self.directory / f"{name}.key"
        self.tool = tool
        known_to_new = ["-curve", curve] if tool != "nebula-cert" else []
        self._keygen = [tool, "keygen", *known_to_new]
        run([tool, "ca", "-name", name, "-duration", f"{hours}h", "-out-crt", self.crt,
             "-out-key", self.key, *known_to_new,
             *(["-version", str(version)] if known_to_new else [])])

    def sign(self, name, *addresses, groups="", duration="12h", unsafe=(), like=None):
        """`unsafe`: networks behind the host. `like`: an identity of another authority, whose key
        this one vouches for as well."""
        cert = self.directory / f"{name}.crt"
        key = like.key if like else self.directory / f"{name}.key"
        public = key.with_suffix(".pub")
        if not like:
            run([*self._keygen, "-out-key", key, "-out-pub", public])
            key.chmod(0o600)
        run([self.tool, "sign", "-ca-crt", self.crt, "-ca-key", self.key, "-name", name,
             "-ip", ",".join(map(_network, addresses)), "-subnets", ",".join(unsafe),
             "-duration", duration, "-groups", groups, "-out-crt", cert, "-in-pub", public])
        return Identity(name, addresses, self.crt, cert, key, self.tool)


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
    settings: dict = field(default_factory=dict)  # section: keys, on top of what each host has
    device: str = "nebula1"
    log_level: str = "debug"
    _daemon: Daemon = None

    def start(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self.directory / "config.yml"
        config.write_text(self._config())
        self._daemon = Daemon(self.space.command(self.program, "-config", config),
                              self.directory / "nebula.log")
        # The daemon adds its addresses last but for the routes, and then reads the device.
        self._daemon.wait_until(self._addressed, f"{self.device} to have its addresses")
        return self

    def _addressed(self):
        shown = self.space.ip("-o", "address", "show", "dev", self.device, "up", check=False)
        return all(f" {address}/" in shown.stdout for address in self.identity.addresses)

    def _config(self):
        rule = {"port": "any", "proto": "any", "host": "any"}
        config = {
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
        }
        for section, keys in self.settings.items():
            config[section] = {**config.get(section, {}), **keys}
        return json.dumps(config, indent=2)  # YAML is a superset of JSON, and 1.6.1 reads it as such

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
