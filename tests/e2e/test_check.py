# SPDX-License-Identifier: Apache-2.0
"""`magnetard --check`: every error of a configuration, each with its place and its remedy."""

import re
from dataclasses import dataclass

import pytest

from lab.lab import BUILD, GATEWAY
from lab.nebula import Authority
from lab.process import run, wait_for

GOOD = """\
[pki]
ca = "lab-ca.crt"
cert = "gateway.crt"
key = "gateway.key"

[outside]
port = "eth1"

[workers]
cores = [1]

[tunnels]
cipher = "aes"
"""


@dataclass(frozen=True)
class Broken:
    why: str
    old: str
    new: str
    line: int
    key: str
    says: str  # a pattern in the message: what is wrong or what would be right
    errors: int = 1


BROKEN = [
    Broken("not TOML", 'port = "eth1"', "port = = 1", 7, "toml", "."),
    Broken("a key with a typing error", "cores", "coers", 10, "workers.coers", "workers.cores|cores"),
    Broken("a section nobody knows", "[workers]", "[wrokers]", 9, "wrokers", "workers"),
    Broken("a port out of range", 'port = "eth1"', 'port = "eth1"\nlisten_port = 70000', 8,
           "outside.listen_port", "65535"),
    Broken("a string where a list belongs", "cores = [1]", 'cores = "1"', 10, "workers.cores", "list|array"),
    Broken("a cipher nobody has", '"aes"', '"rot13"', 13, "tunnels.cipher", "chachapoly"),
    Broken("an overlay address that is none", 'cipher = "aes"',
           'cipher = "aes"\nstatic = { "10.42.0.300" = ["192.0.2.1:4242"] }', 14, "tunnels.static",
           "an address is expected"),
    Broken("an underlay address without its port", 'cipher = "aes"',
           'cipher = "aes"\nstatic = { "10.42.0.9" = ["192.0.2.1"] }', 14, "tunnels.static",
           r"192\.0\.2\.1"),
    Broken("a file that is not there", '"gateway.crt"', '"elsewhere.crt"', 3, "pki.cert",
           r"elsewhere\.crt"),
    Broken("a key that belongs to another certificate", '"gateway.key"', '"other.key"', 4, "pki.key",
           "does not belong"),
    Broken("a certificate that no CA vouches for", '"lab-ca.crt"', '"stranger-ca.crt"', 3, "pki.cert",
           "lab-ca|CA|ca"),
    Broken("a certificate that has expired", '"gateway.crt"\nkey = "gateway.key"',
           '"expired.crt"\nkey = "expired.key"', 3, "pki.cert", "expired"),
    Broken("a required key left out", 'port = "eth1"\n', "", 6, "outside.port", "."),
    Broken("a fingerprint cut short", 'key = "gateway.key"', 'key = "gateway.key"\nblocklist = ["ab12"]',
           5, "pki.blocklist", "64|hex"),
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory, programs):
    path = tmp_path_factory.mktemp("check")
    authority = Authority(path)
    authority.sign("gateway", GATEWAY)
    authority.sign("other", "10.42.0.3")
    Authority(path, "stranger-ca")
    expired = authority.sign("expired", "10.42.0.4", duration="1s")
    wait_for(lambda: run(["nebula-cert", "verify", "-ca", expired.ca, "-crt", expired.cert],
                         check=False).returncode != 0, "a certificate to expire", interval=0.2)
    return path


def check(path):
    return run([BUILD / "magnetard", "--check", "-c", path], check=False)


def errors(done):
    """(file, line, column, key, message) of each line; a line of another form fails the test."""
    rows = []
    for line in (done.stdout + done.stderr).splitlines():
        match = re.fullmatch(r"(.+?):(\d+):(\d+): (error|warning): ([^:\s]+): (.+)", line)
        assert match, f"not of the form FILE:LINE:COLUMN: error: KEY: ...: {line!r}"
        if match[4] == "error":
            rows.append((match[1], int(match[2]), int(match[3]), match[5], match[6]))
    return rows


def test_a_good_configuration_is_fine(directory):
    path = directory / "good.toml"
    path.write_text(GOOD)
    done = check(path)
    assert (done.returncode, errors(done)) == (0, [])


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.why)
def test_a_broken_configuration(directory, case):
    assert case.old in GOOD
    path = directory / "broken.toml"
    path.write_text(GOOD.replace(case.old, case.new))
    done = check(path)
    found = errors(done)
    assert done.returncode == 2
    assert len(found) == case.errors, found
    file, line, column, key, message = found[0]
    assert (file, line) == (str(path), case.line)
    assert column >= 1
    assert key == case.key or key.startswith(f"{case.key}.") or key.startswith(f"{case.key}[")
    assert re.search(case.says, message), message


def test_all_errors_come_at_once(directory):
    path = directory / "broken.toml"
    text = GOOD.replace("cores", "coers").replace('"aes"', '"rot13"').replace(
        '"gateway.crt"', '"elsewhere.crt"')
    path.write_text(text)
    done = check(path)
    assert done.returncode == 2
    assert {"workers.coers", "tunnels.cipher", "pki.cert"} <= {key for *_, key, _ in errors(done)}


def test_a_key_that_others_can_read_is_a_warning(directory):
    path = directory / "good.toml"
    path.write_text(GOOD)
    key = directory / "gateway.key"
    key.chmod(0o644)
    try:
        done = check(path)
    finally:
        key.chmod(0o600)
    assert done.returncode == 0
    assert re.search(r":4:\d+: warning: pki\.key: ", done.stdout + done.stderr)


@pytest.mark.parametrize("arguments", [[], ["--no-such-flag"], ["-c"], ["-c", "/nonexistent.toml"]],
                         ids=["nothing", "unknown-flag", "no-value", "no-such-file"])
def test_wrong_usage(programs, arguments):
    done = run([BUILD / "magnetard", *arguments], check=False)
    assert done.returncode == 2
    assert done.stderr.strip()


def test_version(programs):
    done = run([BUILD / "magnetard", "--version"])
    for what in ("magnetar", "DPDK", "ipsec-mb"):
        assert what.lower() in done.stdout.lower(), done.stdout
