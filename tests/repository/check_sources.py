#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""House rules that a compiler does not see: licences, dependency arrows by include, file length, clang-format."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = {".h", ".cpp", ".cu", ".cuh"}
LICENCED = CODE | {".py", ".sh", ".txt"}

# ARCHITECTURE.md, "Folders": what each folder may include of the others, as a whole or one part of it.
BASICS = {"engine/base", "engine/files", "engine/json", "engine/samples", "engine/limits"}
MAY_INCLUDE = {
    "kernels": {"kernels"},
    "engine": {"engine", "kernels"},
    "storage": {"storage"} | BASICS,
    "ui": {"ui", "storage"} | BASICS,
    "app": {"app", "ui", "storage", "engine"},
}
QT_INCLUDE = re.compile(r'#include <(Q[A-Z]|Qt)')
OWN_INCLUDE = re.compile(r'#include "(([a-z]+)/[a-z_]+)')
# A continuation attached while a QFuture finishes crashes in Qt 6.4: storage/writer.h, Delivery.
QT_FUTURE = re.compile(r"\bQ(Future|FutureWatcher|FutureSynchronizer|Promise)\b|QtConcurrent|QtFuture")
OWN_WRITER = re.compile(r"\bQSaveFile\b|\bofstream\b")
OWN_READER = re.compile(r"json::parse\(|Json::parse\(|QJsonDocument::fromJson")
GPL_FOLDERS = {"app", "ui"}
MAX_LINES = 500


def tracked_files():
    names = subprocess.run(["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard"],
                           check=True, capture_output=True, text=True).stdout.splitlines()
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def licence_of(path):
    folder = path.relative_to(ROOT).parts[0]
    tested = path.relative_to(ROOT).parts[1] if folder == "tests" and len(path.relative_to(ROOT).parts) > 2 else folder
    return "GPL-3.0-or-later" if tested in GPL_FOLDERS else "Apache-2.0"


def check_licence(path, text):
    if path.name == "CMakeLists.txt" or path.suffix in LICENCED - {".txt"}:
        head = "\n".join(text.splitlines()[:3])
        found = re.search(r"SPDX-License-Identifier: (\S+)", head)
        expected = licence_of(path)
        if not found:
            yield f"no SPDX-License-Identifier in the first lines (expected {expected})"
        elif path.suffix in CODE and path.relative_to(ROOT).parts[0] != "tests" and found.group(1) != expected:
            yield f"licence {found.group(1)}, expected {expected}"


def check_includes(path, text):
    folder = path.relative_to(ROOT).parts[0]
    if folder not in MAY_INCLUDE or path.suffix not in CODE:
        return
    for number, line in enumerate(text.splitlines(), 1):
        own = OWN_INCLUDE.match(line)
        if own and own.group(2) in MAY_INCLUDE and not MAY_INCLUDE[folder] & {own.group(1), own.group(2)}:
            yield f"line {number}: {folder}/ must not include {own.group(1)}/"
        if folder in {"engine", "kernels"} and QT_INCLUDE.match(line):
            yield f"line {number}: {folder}/ knows no Qt"
        if folder in MAY_INCLUDE and folder != "kernels" and not str(path.relative_to(ROOT)).startswith("engine/files/"):
            if OWN_WRITER.search(line):
                yield f"line {number}: files are written by engine/files/output_file.h"
            if OWN_READER.search(line):
                yield f"line {number}: JSON is read by engine/json/"
        if "QtCharts" in line and not str(path.relative_to(ROOT)).startswith("ui/charts/"):
            yield f"line {number}: only ui/charts/ knows Qt Charts"


def check_futures(path, text):
    if path.suffix not in CODE:
        return
    for number, line in enumerate(text.splitlines(), 1):
        if QT_FUTURE.search(line):
            yield f"line {number}: no futures of Qt's (storage/writer.h, Delivery, says why)"


def check_shape(path, text):
    if path.suffix in CODE and text.count("\n") > MAX_LINES:
        yield f"{text.count(chr(10))} lines; past {MAX_LINES} a file asks for a split"
    if path.suffix == ".h" and "#pragma once" not in text:
        yield "no #pragma once"


def check_format(files):
    tool = shutil.which("clang-format")
    if tool is None:
        print("clang-format is not installed: formatting was not checked")
        return
    sources = [str(path) for path in files if path.suffix in CODE]
    for start in range(0, len(sources), 50):
        run = subprocess.run([tool, "--dry-run", "-Werror", *sources[start:start + 50]],
                             capture_output=True, text=True)
        if run.returncode:
            yield from (line for line in run.stderr.splitlines() if "error:" in line)


def main():
    files = tracked_files()
    complaints = []
    for path in files:
        if path.suffix not in LICENCED:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        for check in (check_licence, check_includes, check_futures, check_shape):
            complaints += [f"{path.relative_to(ROOT)}: {complaint}" for complaint in check(path, text)]
    complaints += check_format(files)
    print("\n".join(complaints) or f"{len(files)} files are in order")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
