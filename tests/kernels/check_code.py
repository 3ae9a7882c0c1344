#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_code.py CUOBJDUMP BINARY ARCHITECTURE...: every CUDA file of ours is in the binary as the machine code and PTX that
CMAKE_CUDA_ARCHITECTURES asks for ("80-real", "89", "90a-real"). A file without code for a device fails at its first launch there."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path


def listed(cuobjdump, option, binary):
    text = subprocess.run([cuobjdump, option, binary], check=True, capture_output=True, text=True).stdout
    return Counter(re.findall(r"\.(?:sm|compute)_(\w+)\.", text))


def main():
    cuobjdump, binary, *architectures = sys.argv[1:]
    if not Path(cuobjdump).exists():
        print(f"skipped: {cuobjdump} is not there")
        return 77
    machine_code = listed(cuobjdump, "--list-elf", binary)
    ptx = listed(cuobjdump, "--list-ptx", binary)
    files = max(machine_code.values(), default=0)
    problems = [] if files > 10 else [f"{files} files with kernels, expected more than 10"]
    for architecture in architectures:
        number, _, form = architecture.partition("-")
        for kind, found, wanted in (("machine code", machine_code, form in ("", "real")), ("PTX", ptx, form in ("", "virtual"))):
            if wanted and found[number] != files:
                problems.append(f"{kind} for {number}: {found[number]} of {files} files")
    if not ptx:
        problems.append("no PTX: a device newer than these architectures has no code")
    print("\n".join(problems) or f"{files} files: machine code {sorted(machine_code)}, PTX {sorted(ptx)}")
    return 1 if problems else 0


sys.exit(main())
