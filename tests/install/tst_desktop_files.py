#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Desktop entry and AppStream metainfo, judged by the tools that desktops and stores use."""

import shutil
import subprocess
import sys
from pathlib import Path

RESOURCES = Path(sys.argv[1]) / "resources"
CHECKS = [
    ["desktop-file-validate", RESOURCES / "org.quantscope.Quantscope.desktop"],
    ["appstreamcli", "validate", "--no-net", RESOURCES / "org.quantscope.Quantscope.metainfo.xml"],
]
SKIPPED = 77


def main():
    missing = [command[0] for command in CHECKS if shutil.which(command[0]) is None]
    failed = False
    for command in CHECKS:
        if command[0] in missing:
            continue
        run = subprocess.run(command, capture_output=True, text=True)
        # desktop-file-validate prints warnings and hints and still ends with 0.
        failed = failed or run.returncode != 0 or (command[0] == "desktop-file-validate" and run.stdout.strip() != "")
        print(run.stdout + run.stderr)
    if missing:
        print(f"not checked, because these are not installed: {', '.join(missing)}")
    return 1 if failed else SKIPPED if missing else 0


if __name__ == "__main__":
    sys.exit(main())
