#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seed corpora in corpus/, from ../vectors where there are such. Run it again when those
change; what it writes is committed. The corpus of the configuration is written by hand."""
import json
import pathlib
import shutil
import struct

HERE = pathlib.Path(__file__).resolve().parent
CORPUS = HERE / "corpus"
VECTORS = HERE.parent / "vectors"
HEADER_SIZE = 16


def load(name):
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out + bytes([number]))


def read_varint(data):
    """The number in front of `data`, and what follows it."""
    number = 0
    for i, byte in enumerate(data):
        number |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return number, data[i + 1:]
    raise ValueError("a varint without an end")


def first_bytes_field(message):
    """The content of field 1, which comes first in what Nebula writes."""
    if message[0] != 0x0A:
        raise ValueError("field 1 does not come first")
    size, rest = read_varint(message[1:])
    return rest[:size]


def headers():
    for transcript in load("handshakes-v1.json")["transcripts"][:1]:
        packets = [bytes.fromhex(p["packet"]) for p in transcript["packets"]]
        packets += [bytes.fromhex(transcript[k]) for k in ("stage1_packet", "stage2_packet")]
        packets.append(bytes.fromhex(transcript["relay_packet"]["packet"]))
        packets.append(bytes.fromhex(transcript["recv_error_for_index_0x99aabbcc"]))
        for packet in packets:
            yield f"type{packet[0] & 0xF}-subtype{packet[1]}", packet[:HEADER_SIZE]


def payloads():
    for transcript in load("handshakes-v1.json")["transcripts"][:1]:
        for stage in ("stage1", "stage2"):
            payload = bytes.fromhex(transcript[f"{stage}_payload"])
            yield stage, payload
            details = first_bytes_field(payload) + b"\x40\x01"  # CertVersion 1, as from 1.10 on
            yield f"{stage}-with-version", b"\x0a" + varint(len(details)) + details


def certificates():
    file = load("certificates-v1.json")
    for name, ca in file["cas"].items():
        yield f"ca-{name}", bytes.fromhex(ca["protobuf"])
    for host in file["hosts"]:
        yield f"host-{host['label']}", bytes.fromhex(host["protobuf"])
    bundle = "".join(f"# {name}\n{ca['pem']}" for name, ca in file["cas"].items())
    yield "bundle.pem", bundle.encode()
    yield "host.pem", file["hosts"][0]["pem"].encode()
    yield "key.pem", file["hosts"][0]["private_key_pem"].encode()
    yield "ca-key.pem", file["ca_private_key_pem_main"].encode()
    transcript = load("handshakes-v1.json")["transcripts"][0]
    for stage in ("stage1", "stage2"):
        payload = bytes.fromhex(transcript[f"{stage}_payload"])
        yield f"handshake-{stage}", first_bytes_field(first_bytes_field(payload))


def handshakes():
    for choice, transcript in enumerate(load("handshakes-v1.json")["transcripts"]):
        for stage in ("stage1", "stage2"):
            packet = bytes.fromhex(transcript[f"{stage}_packet"])
            yield f"{transcript['cipher']}-{stage}", bytes([choice]) + packet[HEADER_SIZE:]


def transport(v4, tcp, payload, number=0):
    """The number-th packet of a stream; checksums are left to the target, which mends them."""
    options = bytes([1, 1, 8, 10]) + struct.pack(">II", 7, 9)
    if tcp:
        sequence = 1000 + number * len(payload)
        l4 = struct.pack(">HHIIBBHHH", 1000, 2000, sequence, 5, 0x80, 0x10, 500, 0, 0) + options
    else:
        l4 = struct.pack(">HHHH", 1000, 2000, 8 + len(payload), 0)
    size = len(l4) + len(payload)
    protocol = 6 if tcp else 17
    if v4:
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + size, 100 + number, 0x4000, 64, protocol, 0)
        ip += bytes([10, 42, 0, 1, 10, 42, 0, 2])
    else:
        ip = struct.pack(">IHBB", 0x60000000, size, protocol, 64)
        ip += bytes([0xFD] + [0] * 14 + [1]) + bytes([0xFD] + [0] * 14 + [2])
    return ip + l4 + payload


def offloads():
    for v4 in (True, False):
        for tcp in (True, False):
            name = f"{'tcp' if tcp else 'udp'}{4 if v4 else 6}"
            gso_type = 5 if not tcp else 1 if v4 else 4
            places = (20 if v4 else 40, 16 if tcp else 6)
            packet = transport(v4, tcp, bytes(range(250)) * 3)
            for kind, gso in (("many", (gso_type, 60, 300)), ("one", (0, 0, 0))):
                yield f"{name}-{kind}", b"\0" + struct.pack("=BBHHHH", 1, *gso, *places) + packet
            burst = b""
            for number in range(4):
                packet = transport(v4, tcp, bytes([number]) * (40 if number < 3 else 9), number)
                burst += bytes([0, len(packet)]) + packet
            yield f"{name}-burst", b"\1" + burst


def main():
    corpora = {"header": headers, "payload": payloads, "certificate": certificates,
               "handshake": handshakes, "offload": offloads}
    for name, seeds in corpora.items():
        folder = CORPUS / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for seed, content in seeds():
            (folder / seed).write_bytes(content)


if __name__ == "__main__":
    main()
