#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tells what of ctest's last run in a build folder did not run, and why: one line each."""

import re
import sys
from pathlib import Path

NAME = re.compile(r"^\d+/\d+ Testing: (\S+)$")
QT_SKIP = re.compile(r"^SKIP\s+: (\S+?)\(.*?\)\s*(.*)$")


def skipped(log):
    """(test, reason) of every skipped test function and of every test that ctest skipped as a whole."""
    name, last_line = "", ""
    for line in log.splitlines():
        started = NAME.match(line)
        if started:
            name, last_line = started.group(1), ""
            continue
        found = QT_SKIP.match(line)
        if found:
            yield found.group(1), found.group(2)
        elif line == "Test Skipped.":
            yield name, last_line
        elif line.strip() and not line.startswith(("-----", "<end of output>", "Test time =", '"')):
            last_line = line.strip()


def main():
    log = Path(sys.argv[1]) / "Testing" / "Temporary" / "LastTest.log"
    if log.is_file():
        for name, reason in skipped(log.read_text(encoding="utf-8", errors="replace")):
            print(f"{name}: {reason}")


if __name__ == "__main__":
    main()
