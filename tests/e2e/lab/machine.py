# SPDX-License-Identifier: Apache-2.0
"""What a test changes of the machine itself, and puts back."""

import contextlib
import pathlib

import pytest

_HUGEPAGES = pathlib.Path("/proc/sys/vm/nr_hugepages")


@contextlib.contextmanager
def hugepages(count):
    """At least `count` hugepages of the default size; 0 asks for nothing."""
    before = int(_HUGEPAGES.read_text())
    if count <= before:
        yield
        return
    try:
        _HUGEPAGES.write_text(str(count))
    except OSError as error:
        pytest.skip(f"hugepages cannot be set aside here: {error}")
    try:
        got = int(_HUGEPAGES.read_text())
        if got < count:
            pytest.skip(f"the machine gave {got} of {count} hugepages")
        yield
    finally:
        _HUGEPAGES.write_text(str(before))
