#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tokenizers 0.23.3. One library, two editions of Unicode: its NFKC does not know the compatibility characters that came after Unicode 12, its regular
# expressions do know them. U+1FBF5 (SEGMENTED DIGIT FIVE, Unicode 13) stays as it is under normalizers.NFKC, where the standard and Python give "5", and
# a Split on \p{Nd} takes it for a digit all the same. A reader built on one edition cannot give the ids of both.
# Seen 2026-12-01: NFKC keeps U+1FBF5: True; \p{Nd} splits at it: True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install tokenizers==0.23.3
"$folder/venv/bin/python" - <<'PY'
import sys

from tokenizers import Regex, normalizers, pre_tokenizers

five = "\U0001FBF5"
kept = normalizers.NFKC().normalize_str(five) == five
pieces = pre_tokenizers.Split(Regex(r"\p{Nd}"), "isolated").pre_tokenize_str(f"a{five}b")
split = [piece for piece, _ in pieces] == ["a", five, "b"]
print(f"NFKC keeps U+1FBF5: {kept}; \\p{{Nd}} splits at it: {split}")
sys.exit(0 if kept and split else "this has changed")
PY
