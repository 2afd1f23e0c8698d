# SPDX-License-Identifier: Apache-2.0
"""A network behind the gateway's inside port: an Ethernet with the gateway and two routers on it, which
both lead to one server.

    gateway 10.50.0.1 ==== bridge ==== lana 10.50.0.2, lanb 10.50.0.3 (two interfaces of "server")
            fd50::1                    fd50::2      fd50::3      behind them 10.60.0.1, fd60::1

The server answers by `lana` until it is told otherwise.
"""

PORT = "eth2"
NETWORKS = {4: "10.50.0.0/24", 6: "fd50::/64"}
BEHIND = {4: "10.60.0.0/16", 6: "fd60::/64"}
GATEWAY = {4: "10.50.0.1", 6: "fd50::1"}
ROUTER = {("lana", 4): "10.50.0.2", ("lana", 6): "fd50::2", ("lanb", 4): "10.50.0.3", ("lanb", 6): "fd50::3"}
SERVER = {4: "10.60.0.1", 6: "fd60::1"}
UNSAFE = (NETWORKS[4], BEHIND[4], NETWORKS[6], BEHIND[6])
OVERLAY = {4: "10.42.0.0/24", 6: "fd42::/64"}


class InsideLan:
    def __init__(self, network, gateway):
        """`network`: of the lab, which removes the namespaces."""
        self.gateway = gateway
        self.middle, self.server = network.add("lan", "server")
        self.middle.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        self.middle.ip("link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
        self.middle.ip("link", "set", "br0", "up")
        for space, device in ((gateway, PORT), (self.server, "lana"), (self.server, "lanb")):
            peer = f"to-{device}"
            space.ip("link", "add", device, "type", "veth", "peer", "name", peer,
                     "netns", self.middle.name)
            self.middle.ip("link", "set", peer, "master", "br0", "up")
            for where, name in ((space, device), (self.middle, peer)):
                network.no_offloads(where, name)
            # Each interface answers for its own address alone, as two routers would.
            space.run("sysctl", "-qw", f"net.ipv4.conf.{device}.arp_ignore=1",
                      f"net.ipv4.conf.{device}.arp_announce=2", f"net.ipv4.conf.{device}.rp_filter=0")
            space.ip("link", "set", device, "up")
        self.server.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0")
        for (device, family), address in ROUTER.items():
            # One network on two interfaces: what is sent on link leaves by the first of them.
            self.server.ip("address", "add", f"{address}/{24 if family == 4 else 64}", "dev", device,
                           *(["nodad"] if family == 6 else []))
        for family, address in SERVER.items():
            self.server.ip("address", "add", f"{address}/{32 if family == 4 else 128}", "dev", "lo")
            self.server.ip(f"-{family}", "route", "add", OVERLAY[family], "via", GATEWAY[family],
                           "dev", "lana", "src", address)

    def address_gateway(self, device):
        for family, address in GATEWAY.items():
            self.gateway.ip("address", "add", f"{address}/{24 if family == 4 else 64}", "dev", device,
                            *(["nodad"] if family == 6 else []))

    def route(self, device, router):
        """The gateway's kernel reaches the server by this router, from now on."""
        for family in (4, 6):
            self.gateway.ip(f"-{family}", "route", "replace", BEHIND[family], "via",
                            ROUTER[router, family], "dev", device)

    def mac(self, router):
        return self.server.run("cat", f"/sys/class/net/{router}/address").stdout.strip()
