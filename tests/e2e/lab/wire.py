# SPDX-License-Identifier: Apache-2.0
"""The 16-byte Nebula header, enough of it to make bad packets on purpose."""

import struct
from dataclasses import dataclass, replace

HANDSHAKE, MESSAGE, RECV_ERROR, LIGHTHOUSE, TEST, CLOSE_TUNNEL, CONTROL = range(7)
HEADER = 16
TAG = 16


@dataclass(frozen=True)
class Header:
    type: int
    index: int = 0
    counter: int = 0
    subtype: int = 0
    version: int = 1

    def pack(self):
        return struct.pack("!BBHIQ", self.version << 4 | self.type, self.subtype, 0, self.index,
                           self.counter)

    @staticmethod
    def parse(packet):
        first, subtype, _, index, counter = struct.unpack("!BBHIQ", packet[:HEADER])
        return Header(first & 15, index, counter, subtype, first >> 4)

    def but(self, **changes):
        return replace(self, **changes)


def flip(packet, byte, bit=0):
    """`packet` with one bit of one byte turned over; a negative `byte` counts from the end."""
    changed = bytearray(packet)
    changed[byte] ^= 1 << bit
    return bytes(changed)
