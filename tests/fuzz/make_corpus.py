#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seed corpora in corpus/, from ../vectors where there are such. Run it again when those
change; what it writes is committed. The corpus of the configuration is written by hand."""
import base64
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
    yield from payloads_v2()


def bytes_field(number, content):
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def payloads_v2():
    for host in load("certificates-v2.json")["hosts"]:
        if host.get("print", [{}])[0].get("version") != 2:
            continue
        details = bytes_field(1, without_key(der_of(host["pem"])))
        details += b"\x10" + varint(0x11223344) + b"\x28" + varint(1_700_000_100 * 10**9) + b"\x40\x02"
        yield f"v2-{host['label']}", bytes_field(1, details)


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


    yield from certificates_v2()


def der_of(pem):
    return base64.b64decode("".join(pem.splitlines()[1:-1]))


def without_key(der):
    """The handshake form of a version 2 certificate (wire.md 3.4): details and signature."""
    def element(at):
        size, start = der[at + 1], at + 2
        if size & 0x80:
            start += size & 0x7F
            size = int.from_bytes(der[at + 2:start], "big")
        return start, start + size
    at, end = element(0)
    kept = b""
    while at < end:
        _, past = element(at)
        if der[at] in (0xA0, 0x83):
            kept += der[at:past]
        at = past
    size = bytes([len(kept)]) if len(kept) < 128 else b"\x81" + bytes([len(kept)])
    return b"\x30" + size + kept


def certificates_v2():
    file = load("certificates-v2.json")
    for name, ca in file["cas"].items():
        yield f"ca2-{name}", der_of(ca["pem"])
        yield f"ca2-{name}-key.pem", ca["key_pem"].encode()
    for host in file["hosts"]:
        if "pem" not in host:
            continue
        yield f"host2-{host['label']}", der_of(host["pem"])
        if host["print"][0]["version"] == 2:
            yield f"handshake2-{host['label']}", without_key(der_of(host["pem"]))
    p256 = next(host for host in file["hosts"] if host["label"] == "p256-v2")
    yield "host2-p256.pem", (p256["pem"] + p256["key_pem"]).encode()


def handshakes():
    for choice, transcript in enumerate(load("handshakes-v1.json")["transcripts"]):
        for stage in ("stage1", "stage2"):
            packet = bytes.fromhex(transcript[f"{stage}_packet"])
            yield f"{transcript['cipher']}-{stage}", bytes([choice]) + packet[HEADER_SIZE:]
    # P-256: the certified key of a host as both keys of message 1, and its certificate.
    p256 = next(h for h in load("certificates-v2.json")["hosts"] if h["label"] == "p256-v2")
    key = bytes.fromhex(p256["print"][0]["publicKey"])
    for choice, (name, payload) in enumerate(list(payloads_v2())[4:6]):
        yield f"p256-{name}", bytes([2 + choice]) + key + key + payload


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


def connections():
    """SYNs behind the MTU of a path: MSS at an even and at an odd place, alone and among others."""
    options = {"even": b"\x02\x04\x05\xb4", "odd": b"\x01\x02\x04\x05\xb4\x03\x03\x07",
               "usual": b"\x02\x04\x23\x00\x04\x02\x08\x0a" + bytes(8) + b"\x01\x03\x03\x07",
               "cut": b"\x01\x01\x02\x04"}
    for v4 in (True, False):
        for name, content in options.items():
            packet = bytearray(transport(v4, True, content))
            del packet[(40 if v4 else 60):(52 if v4 else 72)]  # its own options
            start = 20 if v4 else 40
            packet[start + 12] = (20 + len(content)) // 4 << 4
            packet[start + 13] = 2
            yield f"{name}{4 if v4 else 6}", struct.pack(">H", 1240) + bytes(packet)


def main():
    corpora = {"header": headers, "payload": payloads, "certificate": certificates,
               "handshake": handshakes, "offload": offloads,
               "mss": connections}
    for name, seeds in corpora.items():
        folder = CORPUS / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for seed, content in seeds():
            (folder / seed).write_bytes(content)


if __name__ == "__main__":
    main()
