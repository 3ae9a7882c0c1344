#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tokenizers 0.23.3. An entry of "added_tokens" in tokenizer.json has an "id", and the id is not binding: a token that the vocabulary does not hold gets
# the next free number when the file is loaded, without a word. Here the file says 10, the library says 3. A reader that takes the file at its word gives
# the model other ids.
# Seen 2026-12-01: file 10, loaded 3, saved again as 3
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install tokenizers==0.23.3
"$folder/venv/bin/python" - <<'PY'
import json
import sys

from tokenizers import Tokenizer

token = {"id": 10, "content": "<fim>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
file = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [token], "normalizer": None, "pre_tokenizer": None,
        "post_processor": None, "decoder": None, "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}}
loaded = Tokenizer.from_str(json.dumps(file))
saved = json.loads(loaded.to_str())["added_tokens"][0]["id"]
print(f"file {token['id']}, loaded {loaded.token_to_id('<fim>')}, saved again as {saved}")
sys.exit(0 if (loaded.token_to_id("<fim>"), saved) == (3, 3) else "this has changed")
PY
