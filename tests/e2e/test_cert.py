# SPDX-License-Identifier: Apache-2.0
"""`magnetar cert` against the real nebula-cert: what one makes the other reads, verifies and signs with."""

import ipaddress
import json
import os
import pty
import random
import resource
import select
import signal
import stat
import subprocess
import termios
from dataclasses import dataclass

import pytest

from lab.lab import BUILD, PEERS
from lab.process import run, wait_for

# 200 for the acceptance of version 2 certificates; see docs/testing.md.
COUNT = int(os.environ.get("MAGNETAR_CERTIFICATES", "12"))
SEED = int(os.environ.get("MAGNETAR_SEED", "1"))
CHEAP = ["-argon-memory", "1024", "-argon-parallelism", "2"]
UTC = {**os.environ, "TZ": "UTC"}


class Tool:
    """A program with nebula-cert's flags."""

    def __init__(self, *command):
        self.command = [str(word) for word in command]

    def __call__(self, *arguments, check=True, passphrase=None, **options):
        env = {name: value for name, value in UTC.items() if name != "NEBULA_CA_PASSPHRASE"}
        if passphrase is not None:
            env["NEBULA_CA_PASSPHRASE"] = passphrase
        return run([*self.command, *map(str, arguments)], check=check, env=env, **options)

    def verifies(self, ca, crt):
        return self("verify", "-ca", ca, "-crt", crt, check=False).returncode == 0

    def json(self, path):
        return json.loads(self("print", "-json", "-path", path).stdout)


OURS = Tool(BUILD / "magnetar", "cert")
OLD = Tool("nebula-cert")  # Debian's own, 1.6.1: version 1 on Curve25519


@pytest.fixture(scope="session")
def theirs(programs, fetched):
    path = PEERS / "1.11.0" / "nebula-cert"
    if not path.exists():
        pytest.skip(f"nebula-cert 1.11.0 could not be fetched: {fetched}")
    return Tool(path)


@pytest.fixture
def files(tmp_path, monkeypatch, programs):
    """An empty directory, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@dataclass
class Case:
    """A CA and a host of it, as flags."""
    ca: list
    sign: list
    keygen: list
    version: int
    curve: str
    makes_key: bool


POOLS_V4 = [ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "100.64.0.0/10")]
POOLS_V6 = [ipaddress.ip_network(text) for text in ("fd00::/8", "2001:db8::/32")]
GROUPS = ["servers", "laptops", "a b", "gr\u00fcn", "<&>", "x" * 60, "\U0001f511"]


def some_networks(rng, pools, count):
    out = set()
    while len(out) < count:
        pool = rng.choice(pools)
        address = pool[rng.randrange(1, pool.num_addresses - 1)]
        network = ipaddress.ip_interface(f"{address}/{rng.randint(pool.prefixlen, pool.max_prefixlen)}")
        if address != network.network.broadcast_address or network.network.num_addresses < 4:
            out.add(str(network))  # a broadcast address is no host's: we refuse it, Nebula does not
    return sorted(out, key=lambda _: rng.random())


def listed(flag, texts):
    return [flag, ",".join(map(str, texts))] if texts else []


# Versions of CA and host, and the curve: each in its turn.
KINDS = [(1, 1, "25519"), (2, 2, "25519"), (1, 1, "P256"), (2, 2, "P256"),
         (1, 2, "25519"), (2, 1, "25519"), (1, 2, "P256"), (2, 1, "P256")]


def some_case(rng, number):
    ca_version, version, curve = KINDS[number % len(KINDS)]
    v4_only = version == 1 or ca_version == 1
    v4 = some_networks(rng, POOLS_V4, 1 if version == 1 else rng.randint(0, 3))
    v6 = [] if v4_only else some_networks(rng, POOLS_V6, rng.randint(0, 3))
    if not v4 and not v6:
        v4 = some_networks(rng, POOLS_V4, 1)
    unsafe = some_networks(rng, POOLS_V4, rng.randint(0, 3)) if v4 else []
    unsafe += some_networks(rng, POOLS_V6, rng.randint(0, 3)) if v6 else []
    groups = rng.sample(GROUPS, rng.randint(0, len(GROUPS)))
    hours = rng.randint(2, 24 * 365 * 30)
    ca = ["-name", f"ca {rng.randrange(1 << 30)} \u00e9\"<", "-version", ca_version, "-curve", curve,
          "-duration", f"{hours}h"]
    if rng.random() < 0.5:
        pools = POOLS_V4 if v4_only else POOLS_V4 + POOLS_V6
        ca += listed("-networks", pools) + listed("-unsafe-networks", pools)
    if groups and rng.random() < 0.5:
        ca += listed("-groups", GROUPS)
    sign = ["-name", f"host-{rng.randrange(1 << 30)}", "-version", version]
    sign += listed("-networks", v4 + v6) + listed("-unsafe-networks", unsafe)
    sign += listed("-groups", groups)
    if rng.random() < 0.7:
        sign += ["-duration", f"{rng.randrange(hours - 1)}h{rng.randint(0, 58)}m{rng.randint(1, 59)}s"]
    return Case(ca, sign, ["-curve", curve], version, curve, rng.random() < 0.7)


def make(case, maker, signer, where):
    """The files of a CA by one tool and of a host by the same or another."""
    where.mkdir()
    ca = ["-out-crt", where / "ca.crt", "-out-key", where / "ca.key"]
    maker("ca", *case.ca, *ca)
    host = ["-ca-crt", where / "ca.crt", "-ca-key", where / "ca.key", "-out-crt", where / "host.crt"]
    if case.makes_key:
        host += ["-out-key", where / "host.key"]
    else:
        maker("keygen", *case.keygen, "-out-key", where / "host.key", "-out-pub", where / "host.pub")
        host += ["-in-pub", where / "host.pub"]
    signer("sign", *case.sign, *host)
    return where / "ca.crt", where / "host.crt"


def asked_for(case, flag):
    return case.sign[case.sign.index(flag) + 1].split(",") if flag in case.sign else []


def assert_says_what_was_asked(case, certificate):
    details = certificate["details"]
    assert certificate["version"] == case.version
    assert details["name"] == case.sign[1]
    assert sorted(details["networks"] or []) == sorted(asked_for(case, "-networks"))
    assert sorted(details["unsafeNetworks"] or []) == sorted(asked_for(case, "-unsafe-networks"))
    assert (details["groups"] or []) == asked_for(case, "-groups")


def assert_old_agrees(certificate, ca, crt):
    """1.6.1 verifies it, too, and reads the same."""
    assert OLD.verifies(ca, crt)
    old, details = json.loads(OLD("print", "-json", "-path", crt).stdout), certificate["details"]
    assert old["fingerprint"] == certificate["fingerprint"]
    assert old["signature"] == certificate["signature"]
    assert old["details"]["ips"] == details["networks"]
    assert old["details"]["subnets"] == details["unsafeNetworks"]
    for name in ("name", "groups", "notBefore", "notAfter", "publicKey", "issuer", "isCa"):
        assert old["details"][name] == details[name], name


@pytest.mark.parametrize("who", ["ours", "theirs", "our-ca-their-host", "their-ca-our-host"])
def test_random_certificates_pass_from_one_tool_to_the_other(files, theirs, figure, who):
    maker = OURS if who in ("ours", "our-ca-their-host") else theirs
    signer = OURS if who in ("ours", "their-ca-our-host") else theirs
    rng = random.Random(f"{who} {SEED}")
    stranger = None
    old = 0
    for i in range(COUNT):
        case = some_case(rng, i)
        ca, crt = make(case, maker, signer, files / str(i))
        note = f"seed {SEED}, certificate {i}: {case}"
        for tool in (OURS, theirs):
            assert tool.verifies(ca, crt), note
            assert stranger is None or not tool.verifies(stranger, crt), note
        stranger = ca
        for path in (ca, crt):
            for form in ([], ["-json"]):
                ours = OURS("print", *form, "-path", path).stdout
                assert ours == theirs("print", *form, "-path", path).stdout, note
        [certificate] = OURS.json(crt)
        assert_says_what_was_asked(case, certificate)
        if OURS.json(ca)[0]["version"] == 1 and case.version == 1 and case.curve == "25519":
            assert_old_agrees(certificate, ca, crt)
            old += 1
    figure("certificates", f"{COUNT}, {old} of them read by 1.6.1, too")
    assert old == (COUNT + len(KINDS) - 1) // len(KINDS)


def test_certificates_of_1_6_1_are_read_and_signed_with(files):
    OLD("ca", "-name", "old", "-out-crt", "ca.crt", "-out-key", "ca.key")
    OLD("sign", "-name", "theirs", "-ip", "10.0.0.1/8", "-groups", "a,b", "-subnets", "192.168.0.0/24")
    OURS("sign", "-name", "ours", "-ip", "10.0.0.2/8")
    for name in ("theirs", "ours"):
        assert OURS.verifies("ca.crt", f"{name}.crt")
        [certificate] = OURS.json(f"{name}.crt")
        assert_old_agrees(certificate, "ca.crt", f"{name}.crt")


def test_several_certificates_in_a_file(files, theirs):
    OURS("ca", "-name", "net")
    for version in (1, 2):
        OURS("sign", "-name", f"v{version}", "-networks", "10.0.0.1/8", "-version", version)
    both = files / "both.crt"
    both.write_text("# a comment\n" + (files / "v1.crt").read_text() + (files / "v2.crt").read_text())
    for form in ([], ["-json"]):
        ours = OURS("print", *form, "-path", both).stdout
        assert ours == theirs("print", *form, "-path", both).stdout
    assert OURS.verifies("ca.crt", both) and theirs.verifies("ca.crt", both)


@pytest.mark.parametrize("curve", ["25519", "P256"])
@pytest.mark.parametrize("maker", ["ours", "theirs"])
def test_encrypted_keys_pass_from_one_tool_to_the_other(files, theirs, maker, curve):
    maker, other = (OURS, theirs) if maker == "ours" else (theirs, OURS)
    secret = "corr\u00e9ct horse"
    maker("ca", "-name", "net", "-curve", curve, "-encrypt", *CHEAP, passphrase=secret)
    assert "ENCRYPTED PRIVATE KEY" in (files / "ca.key").read_text()
    for tool, name in ((maker, "same"), (other, "other")):
        flags = ["sign", "-name", name, "-networks", "10.0.0.1/8"]
        assert tool(*flags, passphrase="wrong", check=False).returncode == 1
        assert tool(*flags, check=False).returncode == 1, "nobody to ask"
        assert not (files / f"{name}.crt").exists() and not (files / f"{name}.key").exists()
        tool(*flags, passphrase=secret)
        assert OURS.verifies("ca.crt", f"{name}.crt") and theirs.verifies("ca.crt", f"{name}.crt")


def test_the_default_encryption_is_that_of_nebula_cert(files, theirs):
    OURS("ca", "-name", "net", "-encrypt", passphrase="x")  # 2 GiB of memory, as there
    theirs("sign", "-name", "host", "-networks", "10.0.0.1/8", passphrase="x")
    assert OURS.verifies("ca.crt", "host.crt")


class Terminal:
    """A command whose standard streams are a terminal, and what that showed."""

    def __init__(self, *arguments):
        self.ours, theirs = pty.openpty()
        env = {name: value for name, value in UTC.items() if name != "NEBULA_CA_PASSPHRASE"}

        def own_the_terminal():
            os.setsid()
            os.close(os.open(os.ttyname(theirs), os.O_RDWR))
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs ignore it

        self.process = subprocess.Popen(
            [*OURS.command, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=env,
            preexec_fn=own_the_terminal)
        self.theirs = theirs  # kept open: the terminal outlives the command
        self.shown = ""

    def read_until(self, text):
        while text not in self.shown:
            self.shown += os.read(self.ours, 4096).decode()

    def type(self, text):
        os.write(self.ours, text.encode())

    def echoes(self):
        return bool(termios.tcgetattr(self.theirs)[3] & termios.ECHO)

    def answer(self, text):
        """Types a line once the prompt stands and nothing typed is shown any more."""
        self.read_until("Enter passphrase: ")
        wait_for(lambda: not self.echoes(), "the terminal to stop showing what is typed")
        self.shown = ""
        self.type(text)

    def end(self):
        status = self.process.wait(timeout=20)
        while select.select([self.ours], [], [], 0)[0]:
            self.shown += os.read(self.ours, 4096).decode()
        os.close(self.ours)
        os.close(self.theirs)
        return status


def test_a_passphrase_is_asked_for_and_not_shown(files):
    terminal = Terminal("ca", "-name", "net", "-encrypt", *CHEAP)
    terminal.answer("\n")  # an empty one is asked for again
    terminal.answer("s3cret\n")
    terminal.process.wait(timeout=20)
    assert terminal.echoes(), "shown again afterwards"
    assert terminal.end() == 0
    assert "s3cret" not in terminal.shown
    OURS("sign", "-name", "host", "-networks", "10.0.0.1/8", passphrase="s3cret")


def test_a_command_ended_at_its_prompt_leaves_the_terminal_as_it_was(files):
    terminal = Terminal("ca", "-name", "net", "-encrypt", *CHEAP)
    terminal.answer("s3cr\x03")
    terminal.process.wait(timeout=20)
    assert terminal.echoes()
    assert terminal.end() == -signal.SIGINT
    assert list(files.iterdir()) == []


def test_files_are_the_owners_alone_and_never_overwritten(files):
    old = os.umask(0)
    try:
        OURS("ca", "-name", "net")
        OURS("sign", "-name", "host", "-networks", "10.0.0.1/8")
        OURS("keygen", "-out-key", "k.key", "-out-pub", "k.pub")
    finally:
        os.umask(old)
    before = {path.name: path.read_bytes() for path in files.iterdir()}
    assert sorted(before) == ["ca.crt", "ca.key", "host.crt", "host.key", "k.key", "k.pub"]
    for name in before:
        assert stat.S_IMODE((files / name).stat().st_mode) == 0o600, name
    for command in (["ca", "-name", "net"], ["sign", "-name", "host", "-networks", "10.0.0.1/8"],
                    ["keygen", "-out-key", "k.key", "-out-pub", "new.pub"],
                    ["keygen", "-out-key", "new.key", "-out-pub", "k.pub"]):
        done = OURS(*command, check=False)
        assert done.returncode == 1
        assert "exists already and is not overwritten" in done.stderr
    assert {path.name: path.read_bytes() for path in files.iterdir()} == before


def test_a_full_disk_leaves_no_half_files(files):
    def no_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that write() fails instead

    done = OURS("ca", "-name", "net", check=False, preexec_fn=no_room)
    assert done.returncode == 1
    assert "cannot write 'ca.key': File too large" in done.stderr
    assert list(files.iterdir()) == []


def test_standard_input_and_output(files):
    OURS("ca", "-name", "net")
    key = OURS("sign", "-name", "host", "-networks", "10.0.0.1/8", "-out-key", "-").stdout
    assert key.startswith("-----BEGIN NEBULA X25519 PRIVATE KEY-----\n")
    assert not (files / "host.key").exists()
    with open("host.crt", encoding="utf-8") as crt:
        piped = subprocess.run([*OURS.command, "print", "-json", "-path", "-"], stdin=crt, text=True,
                               capture_output=True, check=True, timeout=20).stdout
    assert json.loads(piped) == OURS.json("host.crt")
    assert OURS("sign", "-name", "x", "-networks", "10.0.0.1/8", "-out-key", "-", "-out-crt", "-",
                check=False).returncode == 2
