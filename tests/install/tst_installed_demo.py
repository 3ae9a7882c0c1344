#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Installs to a prefix, moves the prefix, hides source and build tree, and runs the demo from there."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CMAKE, BUILD, SOURCE = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
SKIPPED = 77
UNSCORED = 5  # exit code where no sandbox can be made

INSTALLED = """
bin/quantscope
bin/quantscope-worker
share/applications/org.quantscope.Quantscope.desktop
share/metainfo/org.quantscope.Quantscope.metainfo.xml
share/icons/hicolor/scalable/apps/org.quantscope.Quantscope.svg
share/quantscope/demo/model/config.json
share/quantscope/demo/model/model.safetensors
share/quantscope/demo/model/tokenizer.model
share/quantscope/demo/problems.jsonl
share/doc/quantscope/README.md
share/doc/quantscope/LICENSES/GPL-3.0-or-later.txt
share/doc/quantscope/LICENSES/Apache-2.0.txt
""".split()

OUTPUT = ["report.html", "summary.json", "quantscope.db", "samples-fp16-b1.jsonl",
          "samples-int8-b1.jsonl_results.jsonl"]


def namespace():
    """The command that gives its child mounts of its own; None where the system allows none."""
    unshare = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    tried = subprocess.run([*unshare, "sh", "-c", 'mount -t tmpfs none "$0"', str(BUILD)], capture_output=True)
    return unshare if tried.returncode == 0 else None


def hidden(unshare, command):
    """`command` with empty folders where source and build tree are."""
    hide = 'for folder in "$1" "$2"; do [ ! -d "$folder" ] || mount -t tmpfs none "$folder"; done; ' \
           '[ ! -e "$1/CMakeLists.txt" ] && [ ! -e "$2/bin" ] || exit 99; shift 2; cd /; exec "$@"'
    return [*unshare, "sh", "-c", hide, "sh", str(SOURCE), str(BUILD), *map(str, command)]


def sandbox_allowed():
    probe = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"]
    return shutil.which("bwrap") is not None and subprocess.run(probe, capture_output=True).returncode == 0


def check_install(folder):
    first, prefix = folder / "first", folder / "moved here"
    subprocess.run([CMAKE, "--install", BUILD, "--prefix", first], check=True, stdout=subprocess.DEVNULL)
    first.rename(prefix)
    for name in INSTALLED:
        assert (prefix / name).is_file(), f"{name} was not installed"
        assert not (prefix / name).is_symlink(), f"{name} points somewhere else"
    for program in ("quantscope", "quantscope-worker"):
        needle = str(SOURCE / "resources").encode()
        assert needle not in (prefix / "bin" / program).read_bytes(), f"{program} knows {needle.decode()}"
    return prefix


def check_demo(unshare, prefix, folder):
    out = folder / "results"
    home = folder / "home"
    home.mkdir()
    environment = {"PATH": f"{prefix}/bin:/usr/bin:/bin", "HOME": str(home), "LC_ALL": "C.UTF-8",
                   "TMPDIR": str(folder)}
    for name in ("ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS"):
        if name in os.environ:
            environment[name] = os.environ[name]
    command = ["quantscope", "run", "--model", "demo", "--problems", "demo", "--schemes", "fp16,int8",
               "--batch-sizes", "1", "--limit", "6", "--latency-requests", "2", "--latency-output", "8",
               "--out-dir", out, "--json"]
    run = subprocess.run(hidden(unshare, command), env=environment, capture_output=True, text=True, timeout=240)
    scored = sandbox_allowed()
    assert run.returncode == (0 if scored else UNSCORED), f"exit code {run.returncode}\n{run.stderr}"
    document = json.loads(run.stdout)
    assert [one["scheme"] for one in document["runs"]] == ["fp16", "int8"], document["runs"]
    for one in document["runs"]:
        assert one["tpot_ms"]["p50"] > 0.0, one
        assert not scored or 0.0 <= one["pass_at_1"] <= 1.0, one
    for name in OUTPUT:
        assert (out / name).stat().st_size > 0, name
    charts = [path.name for path in out.rglob("*.svg")] + [path.name for path in out.rglob("*.png")]
    assert len(charts) >= 3, f"charts: {charts}"
    assert "<svg" in (out / "report.html").read_text(encoding="utf-8")
    score = subprocess.run(hidden(unshare, ["quantscope", "score", "--problems", "demo", "--out", folder / "again",
                                            out / "samples-fp16-b1.jsonl"]),
                           env=environment, capture_output=True, text=True, timeout=120)
    assert score.returncode == run.returncode, f"score: exit code {score.returncode}\n{score.stderr}"


def main():
    unshare = namespace()
    with tempfile.TemporaryDirectory(prefix="quantscope-install-") as name:
        folder = Path(name)
        prefix = check_install(folder)
        if unshare is None:
            print("installed; but mounts of its own are not allowed here, so the demo could not be run without "
                  "the source tree (as root, or with user namespaces, it can)")
            return SKIPPED
        check_demo(unshare, prefix, folder)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AssertionError as fault:
        sys.exit(f"installed demo: {fault}")
