# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: a lab for each test, and figures for the closing summary."""

import pathlib
import subprocess

import pytest

from lab import nebula, netns
from lab.lab import BUILD, PEERS, Lab
from lab.trio import KINS, trio

_FIGURES = pytest.StashKey[list]()
_FAILED = pytest.StashKey[bool]()
PREFIX = "mgt"


def pytest_configure(config):
    config.stash[_FIGURES] = []


@pytest.fixture(scope="session", autouse=True)
def machine():
    """A machine that can do this at all, clean of what a killed run left."""
    reason = netns.available()
    if reason:
        pytest.skip(reason)
    netns.clean_leftovers(PREFIX)


@pytest.fixture(scope="session")
def fetched():
    """The newer Nebulas and promtool, unpacked in the build directory; the reason if they are not."""
    script = pathlib.Path(__file__).parent / "fetch-peers"
    done = subprocess.run([script, PEERS], capture_output=True, text=True, check=False,
                          timeout=600, stdin=subprocess.DEVNULL)
    return None if done.returncode == 0 else (done.stderr.strip() or "fetch-peers failed")


@pytest.fixture
def peer_version(request, fetched):
    """Indirect parameter: a version of Nebula that is here, else the test is skipped."""
    version = request.param
    if nebula.binary(version, PEERS) is None:
        pytest.skip(f"nebula {version} could not be fetched: {fetched}")
    return version


@pytest.fixture
def today(fetched):
    """The newest Nebula is here, with its nebula-cert."""
    if nebula.binary(nebula.TODAY, PEERS) is None:
        pytest.skip(f"nebula {nebula.TODAY} could not be fetched: {fetched}")


@pytest.fixture
def promtool(fetched):
    path = PEERS / "promtool"
    if not path.exists():
        pytest.skip(f"promtool could not be fetched: {fetched}")
    return path


@pytest.fixture(scope="session")
def programs():
    """The programs under test."""
    missing = [name for name in ("magnetard", "magnetar") if not (BUILD / name).exists()]
    assert not missing, f"not built: {', '.join(missing)}; run `tests/run e2e`"


@pytest.fixture
def bare_lab(request):
    """A lab with nothing in it yet; a failed test prints the story of all that ran in it."""
    with Lab(PREFIX) as lab:
        yield lab
        if request.node.stash.get(_FAILED, False):
            print(lab.story())


@pytest.fixture
def tell(request):
    """tell(f): what f() says is printed if the test fails; for labs that several tests share."""
    stories = []
    yield stories.append
    if request.node.stash.get(_FAILED, False):
        for story in stories:
            print(story())


@pytest.fixture
def lab(bare_lab, programs):
    """A lab for the real gateway."""
    return bare_lab


@pytest.fixture(scope="module", params=KINS, ids=str)
def shared_trio(request, fetched, programs):
    version = request.param.program
    if nebula.binary(version, PEERS) is None:
        pytest.skip(f"nebula {version} could not be fetched: {fetched}")
    with trio(request.param) as shared:
        yield shared


@pytest.fixture
def cleared_trio(shared_trio):
    yield shared_trio
    shared_trio.clear()


@pytest.fixture
def world(cleared_trio, tell):
    """A gateway and two hosts of each kin, as if nothing had happened yet."""
    tell(lambda: f"--- packets\n{cleared_trio.box.story()}\n{cleared_trio.lab.story()}")
    cleared_trio.knows(lower=["lower"], higher=["higher"])
    return cleared_trio


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    if outcome.get_result().when == "call":
        item.stash[_FAILED] = outcome.get_result().failed


@pytest.fixture
def figure(request):
    """figure("name", "1.2 Gb/s"): a line for the end of the run."""
    def record(name, value):
        request.config.stash[_FIGURES].append(f"{request.node.name}: {name} {value}")
    return record


def pytest_terminal_summary(terminalreporter, config):
    if config.stash[_FIGURES]:
        terminalreporter.section("figures (of this machine, for orientation)")
        for line in config.stash[_FIGURES]:
            terminalreporter.line(line)
