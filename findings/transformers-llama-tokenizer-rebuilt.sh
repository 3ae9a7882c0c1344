#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# transformers 5.24.0 (tokenizers 0.23.x). A folder whose tokenizer.json says in full how to encode (Prepend "▁", Replace " ") is not encoded that
# way when tokenizer_config.json names LlamaTokenizer: the class keeps vocabulary and merges and builds normalizer and pre-tokenizer itself (Metaspace,
# prepend_scheme "first"). Ids then differ from the file's own, and from SentencePiece's, for text that begins with a space (one ▁ instead of two) and
# for text behind a special token (no ▁). With tokenizer_class PreTrainedTokenizerFast the same folder gives the file's ids.
# Seen 2026-12-01:
#   LlamaTokenizer           'return a' same   ' return a' other   '</s>return a' other
#   PreTrainedTokenizerFast  'return a' same   ' return a' same    '</s>return a' same
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install transformers==5.24.0
"$folder/venv/bin/python" - "$folder/model" <<'PY'
import json
import pathlib
import sys

from tokenizers import Tokenizer, models, normalizers, trainers
from transformers import AutoTokenizer

folder = pathlib.Path(sys.argv[1])
folder.mkdir()
lines = ["def add(a, b):\n    return a + b\n", "return the sum of the numbers in the list", "for value in values: return value"] * 4
file = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
file.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
special = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
file.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=400, special_tokens=special, show_progress=False))
file.save(str(folder / "tokenizer.json"))

seen = {}
for name in ("LlamaTokenizer", "PreTrainedTokenizerFast"):
    config = {"tokenizer_class": name, "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    loaded = AutoTokenizer.from_pretrained(folder)
    for text in ("return a", " return a", "</s>return a"):
        same = file.encode(text, add_special_tokens=False).ids == loaded(text, add_special_tokens=False)["input_ids"]
        seen[name, text] = same
        print(f"{name:24} {text!r:16} {'same' if same else 'other'}")
expected = [True, False, False, True, True, True]
sys.exit(0 if list(seen.values()) == expected else "this has changed")
PY
