# SPDX-License-Identifier: Apache-2.0
"""Everything one test or demo needs, made together and taken away together."""

import os
import pathlib
import shutil
import tempfile

from . import nebula, netns
from .gateway import Gateway
from .nebula import Authority, Host

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("MAGNETAR_BUILD", ROOT / "build"))  # to try another build
PEERS = BUILD / "peers"

GATEWAY = "10.42.0.1"
HOST = "10.42.0.2"


class Lab:
    """The network of namespaces, a CA, and the gateways and hosts put into it."""

    def __init__(self, prefix="mgt"):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"{prefix}-{os.getpid()}-"))
        self.network = netns.Network(prefix)
        self.authority = Authority(self.directory / "pki")
        self.members = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.delete()

    def space(self, role):
        return self.network.nodes[role]

    def gateway(self, role, address, *, static=None, identity=None, **settings):
        """A gateway, not yet started. `settings`: section={key: value} of its TOML."""
        if static:
            settings.setdefault("tunnels", {})["static"] = static
        gateway = Gateway(self.space(role), identity or self.authority.sign(role, address), BUILD,
                          self.directory / role, settings)
        self.members[role] = gateway
        return gateway

    def new_authority(self, name, version=2, curve="25519"):
        """A CA that Debian's nebula-cert could not make, by that of the newest Nebula."""
        return Authority(self.directory / name, name, version=version, curve=curve,
                         tool=PEERS / nebula.TODAY / "nebula-cert")

    def host(self, role, address, *, static=None, version=nebula.DEBIAN, identity=None,
             cipher="aes", settings=None):
        """A real Nebula host, not yet started. `settings`: {section: {key: value}} of its file."""
        program = nebula.binary(version, PEERS)
        if program is None:
            raise FileNotFoundError(f"nebula {version}")
        host = Host(self.space(role), identity or self.authority.sign(role, address), program,
                    self.directory / role, static or {}, cipher, settings or {})
        self.members[role] = host
        return host

    def story(self, size=6000):
        """What every member has to say, for a failed test: the end of its log, and its counters."""
        return "\n".join(f"--- {role}: end of the log\n{member.log()[-size:]}\n{member.counters()}"
                         for role, member in self.members.items())

    def delete(self):
        for member in self.members.values():
            try:
                member.stop()
            except TimeoutError as error:  # killed by then; the rest still has to go
                print(error)
        self.network.delete()
        shutil.rmtree(self.directory, ignore_errors=True)


def pair(lab, *, family=4, queues=1, mtu=1500, version=nebula.DEBIAN, cipher="aes", knows_host=True,
         **settings):
    """The usual two: a gateway and a host on one wire, started, each knowing where the other is."""
    lab.network.add("gateway", "host")
    lab.network.connect(queues, mtu)
    static = {HOST: [lab.network.endpoint("host", family=family)]} if knows_host else None
    if cipher != "aes":
        settings.setdefault("tunnels", {})["cipher"] = cipher
    gateway = lab.gateway("gateway", GATEWAY, static=static, **settings).start()
    host = lab.host("host", HOST, version=version, cipher=cipher,
                    static={GATEWAY: [lab.network.endpoint("gateway", family=family)]}).start()
    return gateway, host
