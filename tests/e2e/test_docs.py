# SPDX-License-Identifier: Apache-2.0
"""The operator's manual names everything that an operator can meet."""

import re

import pytest

from lab.lab import ROOT

MANUAL = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def labels(path, pattern):
    found = re.findall(pattern, (ROOT / path).read_text(encoding="utf-8"))
    assert found, f"{path} no longer reads as this test expects"
    return found


@pytest.mark.parametrize("path,pattern", [
    ("dataplane/packet/verdict.h", r'\{Verdict::k(?!Forward|Punted)\w+, "(\w+)"'),
    ("controlplane/tunnel/refusal.h", r'\{Refusal::k\w+, "(\w+)"'),
    ("controlplane/app_operator.cc", r'string_view k\w+ = "(\w+)"'),
    ("controlplane/ops/metrics.cc", r'"(magnetar_\w+)"'),
    ("controlplane/config/known_keys.h", r'KnownKey\{"(\w+\.\w+)", KeyKind::kValue'),
], ids=["drop-reasons", "refusals", "publisher", "metrics", "keys"])
def test_the_manual_explains(path, pattern):
    missing = [label for label in labels(path, pattern) if f"`{label}" not in MANUAL]
    assert not missing
