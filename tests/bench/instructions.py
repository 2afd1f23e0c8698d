# SPDX-License-Identifier: Apache-2.0
"""Instructions a packet takes through the pipelines, the cipher left out, against instructions.json.

    instructions.py PROGRAM            compares; fails where a case is more than TOLERANCE above
    instructions.py PROGRAM --accept   writes what was counted as the new baseline
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

BASELINE = pathlib.Path(__file__).with_name("instructions.json")
TOLERANCE = 0.03  # the seed of a hash and the compiler's patch level move it by less than 1 %
CASES = [(pipeline, sessions) for pipeline in ("seal", "open") for sessions in (1, 1000)]


def count(program, pipeline, sessions):
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--callgrind-out-file=" + scratch + "/out",
             "--toggle-collect=magnetar::Worker::run_once()", program, pipeline, str(sessions)],
            check=False, text=True, capture_output=True)
    packets = re.search(r"^packets (\d+)$", done.stdout, re.M)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not packets or not collected or int(collected[1]) == 0:
        sys.exit(f"{pipeline}/{sessions}: nothing was counted\n{done.stdout}{done.stderr}")
    return int(collected[1]) / int(packets[1])


def main():
    counted = {f"{pipeline}/{sessions}": round(count(sys.argv[1], pipeline, sessions), 1)
               for pipeline, sessions in CASES}
    if sys.argv[2:] == ["--accept"]:
        BASELINE.write_text(json.dumps(counted, indent=2) + "\n")
        return 0
    baseline = json.loads(BASELINE.read_text())
    bad = 0
    for name, instructions in counted.items():
        change = instructions / baseline[name] - 1
        verdict = "ok"
        if change > TOLERANCE:
            verdict, bad = "TOO MANY", bad + 1
        elif change < -TOLERANCE:
            verdict = "fewer: accept the new baseline"
        print(f"{name:10} {instructions:8.1f} instructions a packet, baseline {baseline[name]:.1f}, "
              f"{change:+.1%}: {verdict}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
