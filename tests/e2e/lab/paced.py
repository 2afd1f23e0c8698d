# SPDX-License-Identifier: Apache-2.0
"""Numbered datagrams at a steady rate, and what became of them."""

import socket
import struct
import threading
import time

from .traffic import any_of, udp_socket

_TICK = 0.002
_SO_RCVBUFFORCE = 33


class PacedStream:
    """`rate` datagrams a second from one side to the other, until stop()."""

    def __init__(self, sender, receiver, address, port, rate, size=64):
        self._source = udp_socket(sender, any_of(address))
        self._sink = udp_socket(receiver, (address, port), 0.2)
        self._sink.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 1 << 26)
        self._to = (address, port)
        self._rate, self._size = rate, size
        self._stopping = threading.Event()
        self.sent = 0
        self.received = []
        self._threads = [threading.Thread(target=self._send), threading.Thread(target=self._receive)]
        for thread in self._threads:
            thread.start()

    def _send(self):
        begin = time.monotonic()
        while not self._stopping.is_set():
            due = int((time.monotonic() - begin) * self._rate)
            # After a pause of this machine it catches up, but not in one burst: sockets are finite.
            for _ in range(min(due - self.sent, 200)):
                self._source.sendto(struct.pack("!I", self.sent).ljust(self._size, b"\0"), self._to)
                self.sent += 1
            self._stopping.wait(_TICK)

    def _receive(self):
        quiet = 0
        while quiet < 5:
            try:
                self.received.append(struct.unpack("!I", self._sink.recv(2048)[:4])[0])
                quiet = 0
            except TimeoutError:
                quiet += self._stopping.is_set()

    def stop(self):
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self._source.close()
        self._sink.close()

    def faults(self):
        """What went wrong; empty: each number came once and in order."""
        wrong = {"lost": self.sent - len(set(self.received)),
                 "repeated": len(self.received) - len(set(self.received)),
                 "reordered": sum(1 for one, next_one in zip(self.received, self.received[1:])
                                  if next_one < one)}
        return {fault: number for fault, number in wrong.items() if number}
