# SPDX-License-Identifier: Apache-2.0
"""What passes a device, packet by packet, and how to read it."""

import socket
import struct
from dataclasses import dataclass

from .process import wait_for

ETH_P_ALL = 3
_SO_RCVBUFFORCE = 33


class Tap:
    """Everything that passes a device, either way, from now on: frames, or packets of a TUN device."""

    def __init__(self, space, device):
        with space.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 1 << 26)
        self._socket.bind((device, ETH_P_ALL))
        self._socket.setblocking(False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def read(self):
        """All that has come since the last call."""
        seen = []
        while True:
            try:
                what = self.parse(self._socket.recv(65536))
            except BlockingIOError:
                return seen
            if what is not None:
                seen.append(what)

    def parse(self, content):
        """What is of interest in it; None: nothing."""
        return content

    def wait(self, wanted, what, timeout=5):
        """The first for which `wanted` is true."""
        return wait_for(lambda: next(filter(wanted, self.read()), None), what, timeout)


@dataclass(frozen=True)
class Datagram:
    source: tuple
    destination: tuple
    payload: bytes


class Sniffer(Tap):
    """IPv4 UDP datagrams to or from `port` on a device, from now on."""

    def __init__(self, space, device, port=4242):
        super().__init__(space, device)
        self._port = port

    def parse(self, content):
        datagram = parse_udp(content)
        return datagram if datagram and self._port in (datagram.source[1], datagram.destination[1]) else None


class InsideTap(Tap):
    """IPv4 packets to `port` on a TUN device, from now on."""

    def __init__(self, space, device, port):
        super().__init__(space, device)
        self._port = port

    def parse(self, content):
        return content if content[0] == 0x45 and struct.unpack("!H", content[22:24])[0] == self._port else None


@dataclass(frozen=True)
class Syn:
    source: str
    mss: int
    whole: bytes


class SynTap(Tap):
    """Beginnings of TCP connections and their answers on a TUN device, from now on."""

    def parse(self, content):
        start = 20 if content[0] == 0x45 else 40
        if content[9 if start == 20 else 6] != socket.IPPROTO_TCP or not content[start + 13] & 2:
            return None
        source = (socket.inet_ntop(socket.AF_INET, content[12:16]) if start == 20
                  else socket.inet_ntop(socket.AF_INET6, content[8:24]))
        assert content[start + 20:start + 22] == b"\x02\x04", "Linux puts the MSS first"
        return Syn(source, struct.unpack("!H", content[start + 22:start + 24])[0], content)


def parse_udp(frame):
    if len(frame) < 42 or frame[12:14] != b"\x08\x00" or frame[23] != socket.IPPROTO_UDP:
        return None
    if struct.unpack("!H", frame[20:22])[0] & 0x1FFF:
        return None  # a later fragment has no UDP header
    start = 14 + (frame[14] & 15) * 4
    source_port, destination_port, length = struct.unpack("!HHH", frame[start:start + 6])
    return Datagram((socket.inet_ntoa(frame[26:30]), source_port),
                    (socket.inet_ntoa(frame[30:34]), destination_port),
                    frame[start + 8:start + length])


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def checksums_right(packet):
    """Of an IP packet without options or extensions, and of the TCP or UDP in it."""
    start, addresses, protocol = (20, packet[12:20], packet[9]) if packet[0] == 0x45 else \
        (40, packet[8:40], packet[6])
    l4 = packet[start:]
    pseudo = addresses + struct.pack("!IHBB", len(l4), 0, 0, protocol)
    return (start == 40 or checksum(packet[:20]) == 0) and checksum(pseudo + l4) == 0
