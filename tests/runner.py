# SPDX-License-Identifier: Apache-2.0
"""Behind tests/run: builds, runs the parts, counts every case, says why something was left out."""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as xml
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

FUZZ_SECONDS = 20
SANITIZERS = {"asan": "address,undefined", "tsan": "thread"}
# A finding has to fail the test, also where the sanitizer alone would only print it.
SANITIZER_ENVIRONMENT = {
    "ASAN_OPTIONS": "halt_on_error=1:abort_on_error=1:detect_leaks=1",
    "UBSAN_OPTIONS": "halt_on_error=1:abort_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:abort_on_error=1:second_deadlock_stack=1",
}


@dataclass
class Tally:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other):
        return Tally(self.passed + other.passed, self.failed + other.failed,
                     self.skipped + other.skipped)

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


class BuildFailed(Exception):
    """A build that a part needs did not succeed; its output has been shown."""


def say(text):
    print(f"\n== {text}", flush=True)


def call(command, **environment):
    """Exit status of a command whose output goes where ours goes."""
    return subprocess.run(list(map(str, command)), cwd=ROOT, check=False,
                          stdin=subprocess.DEVNULL, env={**os.environ, **environment}).returncode


def must_build(command, **environment):
    if call(command, **environment) != 0:
        raise BuildFailed(" ".join(map(str, command)))


# --- builds

def build_release():
    must_build(["deploy/build"])
    return ROOT / "build"


def configured(directory, options, **environment):
    if not (directory / "build.ninja").exists():
        # -O1: what runs here is short, and compiling it is not.
        must_build(["meson", "setup", directory, "-Ddebug=false", "-Dcpp_args=-g1", "-Doptimization=1", *options],
                   **environment)
    return directory


def build_sanitized(name):
    """Only what the pure tests need: the rest would double the time and is never run there."""
    directory = configured(ROOT / f"build-{name}",
                           [f"-Db_sanitize={SANITIZERS[name]}", "-Db_lundef=false"])
    must_build(["ninja", "-C", directory, *test_programs(directory, {"unit", "sim"})])
    return directory


def build_fuzz():
    directory = configured(ROOT / "build-fuzz", ["-Dfuzz=true", "-Doptimization=2"], CC="ccache clang-14",
                           CXX="ccache clang++-14")
    must_build(["ninja", "-C", directory, *programs_of(directory, "tests/fuzz/")])
    return directory


def introspect(directory, what):
    done = subprocess.run(["meson", "introspect", str(directory), f"--{what}"], cwd=ROOT, text=True,
                          capture_output=True, check=True)
    return json.loads(done.stdout)


def relative(directory, path):
    return str(pathlib.Path(path).relative_to(directory))


def test_programs(directory, suites):
    """Ninja's names of what the tests of these suites run."""
    files = {target["id"]: target["filename"] for target in introspect(directory, "targets")}
    wanted = {file for test in introspect(directory, "tests")
              if suites & {suite.split(":")[-1] for suite in test["suite"]}
              for target in test["depends"] for file in files[target]}
    return sorted(relative(directory, file) for file in wanted)


def programs_of(directory, folder):
    names = [relative(directory, file) for target in introspect(directory, "targets")
             if target["type"] == "executable" for file in target["filename"]]
    return sorted(name for name in names if name.startswith(folder))


# --- parts

def meson_tests(directory, suites, multiplier=1, processes=None, **environment):
    """Runs the suites and counts their cases, not only their executables."""
    known = {suite.split(":")[-1] for test in introspect(directory, "tests")
             for suite in test["suite"]}
    if not known & set(suites):
        return not_run(f"there is no test of suite {' or '.join(suites)}")
    reports = directory / "reports"
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir()
    log = directory / "meson-logs" / "testlog-gtest-report.json"  # Meson adds the wrapper's name
    log.unlink(missing_ok=True)
    command = ["meson", "test", "-C", directory, "--no-rebuild", "--print-errorlogs",
               "--timeout-multiplier", multiplier, "--wrapper", ROOT / "tests" / "gtest-report"]
    if processes:
        command += ["--num-processes", processes]
    for suite in suites:
        command += ["--suite", suite]
    call(command, MAGNETAR_REPORTS=str(reports), **environment)
    if not log.exists():
        return Tally(failed=1)
    return sum((count_executable(json.loads(line), reports) for line in log.open()), Tally())


def count_executable(row, reports):
    """Cases of one executable. One that reported none, or broke after its report, is a case itself."""
    good, skipped = row["result"] in ("OK", "EXPECTEDFAIL"), row["result"] == "SKIP"
    # As gtest-report names it: one program may be two tests, told apart by its arguments.
    command = [word for word in row["command"] if not word.endswith("gtest-report")]
    report = reports / f"{'_'.join(command).replace('/', '_')}.json"
    if skipped or not report.exists():
        return Tally(passed=int(good), failed=int(not good and not skipped), skipped=int(skipped))
    cases = [case for suite in json.loads(report.read_text())["testsuites"]
             for case in suite["testsuite"]]
    tally = Tally()
    for case in cases:
        if case.get("failures"):
            tally.failed += 1
        elif case["result"] == "SKIPPED" or case["status"] == "NOTRUN":
            tally.skipped += 1
        else:
            tally.passed += 1
    if not good and not skipped and tally.failed == 0:
        tally.failed += 1
    return tally


def not_run(reason):
    print(f"SKIPPED: {reason}", flush=True)
    return Tally(skipped=1)


def part_unit():
    return meson_tests(build_release(), ["unit"])


def part_sim():
    return meson_tests(build_release(), ["sim"])


def part_system():
    """Drivers against the real kernel: one at a time, they share devices."""
    if os.geteuid() != 0:
        return not_run("the system tests need root")
    return meson_tests(build_release(), ["system"], processes=1)


def part_sanitize():
    tally = Tally()
    for name in SANITIZERS:
        say(f"pure tests under {SANITIZERS[name]}")
        try:
            directory = build_sanitized(name)
        except BuildFailed as error:
            tally += build_failure(error)
            continue
        tally += meson_tests(directory, ["unit", "sim"], 10, **SANITIZER_ENVIRONMENT)
    return tally


def part_fuzz():
    directory = build_fuzz()
    targets = programs_of(directory, "tests/fuzz/")
    tally = Tally()
    for target in targets:
        say(f"{pathlib.Path(target).name}, {FUZZ_SECONDS} s")
        good = call(["tests/fuzz/run", FUZZ_SECONDS, directory, pathlib.Path(target).name]) == 0
        tally += Tally(passed=int(good), failed=int(not good))
    return tally if targets else not_run("there is no fuzz target")


def part_e2e():
    from lab import netns
    reason = netns.available()
    if reason:
        return not_run(f"end-to-end tests: {reason}")
    must_build(["deploy/build", "magnetard", "magnetar"])
    report = ROOT / "build" / "e2e.xml"
    report.unlink(missing_ok=True)
    call(["/usr/bin/python3", "-m", "pytest", "tests/e2e", f"--junitxml={report}"])
    if not report.exists():
        return Tally(failed=1)
    tally = Tally()
    for case in xml.parse(report).getroot().iter("testcase"):
        outcomes = {child.tag for child in case}
        if outcomes & {"failure", "error"}:
            tally.failed += 1
        elif "skipped" in outcomes:
            tally.skipped += 1
        else:
            tally.passed += 1
    return tally


def part_bench(every_row=False, json_path=None):
    must_build(["deploy/build"])
    program = ROOT / "build" / "tests" / "bench" / "pipeline_bench"
    good = call([program, *(["--all"] if every_row else []),
                 *(["--json", json_path] if json_path else [])]) == 0
    tally = Tally(passed=int(good), failed=int(not good))
    good = call([program.with_name("handshake_bench")]) == 0
    tally += Tally(passed=int(good), failed=int(not good))
    return tally + bench_gateway(json_path)


def part_bench_gateway(json_path=None):
    """The last rows of the bench alone."""
    must_build(["deploy/build"])
    if json_path:
        pathlib.Path(json_path).unlink(missing_ok=True)
    return bench_gateway(json_path)


def bench_gateway(json_path):
    """Between two testpmd; its rows go behind those that are in the file."""
    status = call([sys.executable, "-B", ROOT / "tests" / "bench" / "gateway.py",
                   *(["--json", json_path] if json_path else [])])
    if status == 77:  # it has said why
        return Tally(skipped=1)
    return Tally(passed=int(status == 0), failed=int(status != 0))


def part_bench_peers(runs, json_path=None):
    must_build(["deploy/build"])
    good = call(["/usr/bin/python3", ROOT / "tests" / "e2e" / "bench_peers.py", "--runs", str(runs),
                 *(["--json", json_path] if json_path else [])]) == 0
    return Tally(passed=int(good), failed=int(not good))


def part_instructions():
    """Times on shared machines are noise; how many instructions a packet takes is not."""
    if not shutil.which("valgrind"):
        return not_run("valgrind is not installed")
    program = build_release() / "tests" / "bench" / "instruction_count"
    done = subprocess.run([sys.executable, ROOT / "tests" / "bench" / "instructions.py", program],
                          check=False, stdin=subprocess.DEVNULL)
    return Tally(passed=int(done.returncode == 0), failed=int(done.returncode != 0))


PARTS = {"unit": part_unit, "sim": part_sim, "system": part_system, "sanitize": part_sanitize,
         "instructions": part_instructions, "fuzz": part_fuzz, "e2e": part_e2e}


def build_failure(error):
    print(f"FAILED: {error}", flush=True)
    return Tally(failed=1)


def run_part(name, function, *arguments):
    say(name)
    began = time.monotonic()
    try:
        tally = function(*arguments)
    except BuildFailed as error:
        tally = build_failure(error)
    print(f"-- {name}: {tally} in {time.monotonic() - began:.0f} s", flush=True)
    return tally


def main():
    parser = argparse.ArgumentParser(
        prog="tests/run", description="Installs what is missing, builds, runs the tests. Without a "
        f"part: {', '.join(PARTS)}.")
    parser.add_argument("parts", nargs="*", metavar="PART",
                        help=f"any of {', '.join(PARTS)}, bench, bench-peers")
    parser.add_argument("--json", metavar="FILE", type=os.path.abspath,
                        help="with bench or bench-peers: also write its rows here")
    parser.add_argument("--all", action="store_true", dest="every_row",
                        help="with bench: every row, not only the short selection")
    parser.add_argument("--gateway", action="store_true",
                        help="with bench: only the whole gateway between two ports of testpmd")
    parser.add_argument("--runs", type=int, default=5,
                        help="with bench-peers: how often each pair is measured (default: 5)")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - {*PARTS, "bench", "bench-peers"}
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if arguments.json and len({"bench", "bench-peers"} & set(arguments.parts)) != 1:
        parser.error("--json goes with bench or bench-peers, not with both")
    if "bench" not in arguments.parts and (arguments.every_row or arguments.gateway):
        parser.error("--all and --gateway go with bench")
    total = Tally()
    for name in arguments.parts or PARTS:
        if name == "bench" and arguments.gateway:
            total += run_part(name, part_bench_gateway, arguments.json)
        elif name == "bench":
            total += run_part(name, part_bench, arguments.every_row, arguments.json)
        elif name == "bench-peers":
            total += run_part(name, part_bench_peers, arguments.runs, arguments.json)
        else:
            total += run_part(name, PARTS[name])
    print(f"\n{total}", flush=True)
    return 1 if total.failed or total.passed + total.skipped == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
