#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a file's bytes as a C++ initialiser list: embed.py INPUT OUTPUT."""
import pathlib
import sys

data = pathlib.Path(sys.argv[1]).read_bytes()
lines = (data[i : i + 16] for i in range(0, len(data), 16))
pathlib.Path(sys.argv[2]).write_text("".join(",".join(map(str, line)) + ",\n" for line in lines))
