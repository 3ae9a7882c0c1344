#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures pass@1 of the demo model on the demo problems in PyTorch, per quantization scheme (greedy decoding).

Completions run in plain subprocesses with a time limit, without the sandbox of the real thing: use it on your own
model.
"""

import argparse
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import sentencepiece
import torch

from llama import load_folder
from quantized import SCHEMES, quantize
from settings import MODEL_FOLDER, PROBLEMS_FILE

BOS, EOS = 1, 2
STOPS = ("\nclass", "\ndef", "\n#", "\n@", "\nprint", "\nif")
MOST_NEW_TOKENS = 128


@torch.no_grad()
def generate(model, prompt, device):
    """The greedy continuation of one prompt, without its EOS."""
    cache, new_tokens = model.new_cache(), []
    tokens = prompt
    while len(new_tokens) < MOST_NEW_TOKENS:
        logits = model(torch.tensor([tokens], device=device), cache)
        following = int(logits[0, -1].argmax())
        if following == EOS:
            break
        new_tokens.append(following)
        tokens = [following]
    return new_tokens


def completion(processor, prompt, new_tokens):
    text = processor.decode(processor.encode(prompt) + new_tokens)[len(prompt) :]
    return text[: min([text.find(stop) for stop in STOPS if stop in text], default=len(text))]


def passes(problem, text):
    program = f"{problem['prompt']}{text}\n{problem['test']}\ncheck({problem['entry_point']})\nprint('passed')\n"
    try:
        done = subprocess.run([sys.executable, "-I", "-"], input=program, capture_output=True, text=True, timeout=10)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0 and done.stdout.endswith("passed\n")


def measure(folder, scheme, problems, processor, device):
    model = quantize(load_folder(folder), scheme).to(device)
    for module in model.modules():  # quantized weights are plain tensors
        for name, value in vars(module).items():
            if isinstance(value, torch.Tensor):
                setattr(module, name, value.to(device))
    new_tokens = [generate(model, [BOS] + processor.encode(p["prompt"]), device) for p in problems]
    texts = [completion(processor, p["prompt"], tokens) for p, tokens in zip(problems, new_tokens)]
    with ThreadPoolExecutor(8) as pool:
        passed = list(pool.map(passes, problems, texts))
    rows = [{"task_id": p["task_id"], "completion": text, "passed": ok} for p, text, ok in zip(problems, texts, passed)]
    return rows, sum(map(len, new_tokens)) / len(new_tokens)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL_FOLDER)
    parser.add_argument("--problems", type=Path, default=PROBLEMS_FILE)
    parser.add_argument("--schemes", default=",".join(SCHEMES))
    parser.add_argument("--out", type=Path, help="write every completion and verdict here, as JSON")
    options = parser.parse_args()

    torch.backends.cuda.matmul.allow_tf32 = False
    device = "cuda" if torch.cuda.is_available() else "cpu"
    processor = sentencepiece.SentencePieceProcessor(model_file=str(options.model / "tokenizer.model"))
    problems = [json.loads(line) for line in options.problems.read_text(encoding="utf-8").splitlines()]
    results = {}
    for scheme in options.schemes.split(","):
        rows, tokens = measure(options.model, scheme, problems, processor, device)
        good = sum(row["passed"] for row in rows)
        rate = 100 * good / len(rows)
        print(f"{scheme:14} pass@1 {rate:5.1f} %  ({good}/{len(rows)}, {tokens:.0f} new tokens a problem)", flush=True)
        results[scheme] = rows
    if options.out:
        options.out.write_text(json.dumps(results), encoding="utf-8")


if __name__ == "__main__":
    main()
