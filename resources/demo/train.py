#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the demo model: writes config.json and model.safetensors beside the vocabulary of make_tokenizer.py.

Needs torch, sentencepiece and safetensors; a GPU with bfloat16 takes minutes, --steps makes a short trial on a CPU.
"""

import argparse
import json
import math
import multiprocessing
import platform
import time
from pathlib import Path

import numpy
import sentencepiece
import torch
from torch.nn import functional

from corpus import document, training_programs
from llama import Llama, Shape, save_folder
from settings import MODEL_FOLDER, PROGRAM_COUNT, SEED

BOS, EOS, PADDING = 1, 2, 2
LONGEST = 208
BUCKETS = (136, LONGEST)
PROMPT_WEIGHT = 0.1
WARMUP_STEPS = 200
REPORT_STEPS = 100
PIECE = 5_000


def encode_piece(task):
    """Documents of one wording as (tokens [n, LONGEST], their prompt lengths and lengths); leaves out too long ones."""
    folder, wording, begin, end = task
    processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    programs = training_programs()
    rows = numpy.full((end - begin, LONGEST), PADDING, dtype=numpy.int16)
    sizes = numpy.zeros((end - begin, 2), dtype=numpy.int16)
    kept = 0
    for number in range(begin, end):
        prompt, body = document(programs[number], number, wording)
        head, tail = [BOS] + processor.encode(prompt), processor.encode(body) + [EOS]
        if len(head) + len(tail) <= LONGEST:
            rows[kept, : len(head) + len(tail)] = head + tail
            sizes[kept] = len(head), len(head) + len(tail)
            kept += 1
    return rows[:kept], sizes[:kept]


def encode_corpus(folder, wordings, programs):
    """Every document, padded, on every core."""
    training_programs()  # drawn once, before the workers fork
    tasks = [
        (folder, wording, begin, min(begin + PIECE, programs))
        for wording in range(wordings)
        for begin in range(0, programs, PIECE)
    ]
    with multiprocessing.get_context("fork").Pool() as pool:
        rows, sizes = zip(*pool.imap(encode_piece, tasks))
    return torch.from_numpy(numpy.concatenate(rows)), torch.from_numpy(numpy.concatenate(sizes))


def batches(rows, sizes, tokens_per_batch, generator):
    """Endless shuffled (tokens, prompt lengths, lengths), each batch cut to its bucket's length."""
    bucket_of = torch.bucketize(sizes[:, 1].cpu().long(), torch.tensor(BUCKETS))
    while True:
        plan = []
        for bucket, length in enumerate(BUCKETS):
            members = (bucket_of == bucket).nonzero().squeeze(-1)
            members = members[torch.randperm(len(members), generator=generator)]
            size = tokens_per_batch // length
            plan += [(length, members[i : i + size]) for i in range(0, len(members) - size + 1, size)]
        if not plan:
            raise SystemExit("train: too few documents for one batch; give more programs or fewer tokens per batch")
        for index in torch.randperm(len(plan), generator=generator).tolist():
            length, members = plan[index][0], plan[index][1].to(rows.device)
            yield rows[members, :length].long(), sizes[members].long()


def loss_of(model, tokens, sizes):
    """Mean cross entropy, prompts weighing PROMPT_WEIGHT and padding nothing."""
    logits = model(tokens)[:, :-1].float()
    place = torch.arange(1, tokens.shape[1], device=tokens.device)[None, :]
    weights = torch.where(place < sizes[:, :1], PROMPT_WEIGHT, 1.0) * (place < sizes[:, 1:])
    losses = functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
    return (losses * weights.flatten()).sum() / weights.sum()


def make_optimizer(model, options, fused):
    matrices = [p for p in model.parameters() if p.dim() == 2]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=options.rate, betas=(0.9, 0.95), fused=fused)


def rate_at(step, steps):
    """Warm-up, then a cosine to zero."""
    warmup = min(WARMUP_STEPS, max(1, steps // 10))
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def get_corpus(options):
    if options.corpus and options.corpus.exists():
        return torch.load(options.corpus)
    started = time.monotonic()
    rows, sizes = encode_corpus(options.out, options.wordings, options.programs)
    seconds = time.monotonic() - started
    print(f"{len(rows)} documents, {int(sizes[:, 1].sum())} tokens, encoded in {seconds:.0f} s", flush=True)
    if options.corpus:
        torch.save((rows, sizes), options.corpus)
    return rows, sizes


def train(options, device):
    rows, sizes = get_corpus(options)
    torch.manual_seed(SEED)
    hidden, intermediate, layers = options.shape
    heads = hidden // 64
    shape = Shape(
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=max(1, heads // 4),
    )
    model = Llama(shape).to(device)
    rows, sizes = rows.to(device), sizes.to(device)
    optimizer = make_optimizer(model, options, fused=device == "cuda")
    step_loss = torch.compile(loss_of, dynamic=False) if device == "cuda" else loss_of
    source = batches(rows, sizes, options.batch_tokens, torch.Generator().manual_seed(SEED))
    started, seen, step, steps = time.monotonic(), 0, 0, options.steps
    while step < steps:
        tokens, lengths = next(source)
        for group in optimizer.param_groups:
            group["lr"] = options.rate * rate_at(step, steps)
        with torch.autocast(device, dtype=torch.bfloat16):
            loss = step_loss(model, tokens, lengths)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        seen += tokens.numel()
        step += 1
        if step % REPORT_STEPS == 0 or step == steps:
            last, now = loss.item(), time.monotonic() - started
            print(f"step {step}/{steps} loss {last:.4f} {now:.0f} s {seen} tokens", flush=True)
            if step == REPORT_STEPS:
                warm = now  # compilation lies behind
            if step == WARMUP_STEPS and step < steps:
                pace = (now - warm) / (WARMUP_STEPS - REPORT_STEPS)
                steps = min(steps, step + int((options.most_seconds - now) / pace))
        if step % 1000 == 0:
            save_folder(model, options.out)
    save_folder(model, options.out)
    return {"steps": steps, "tokens": seen, "seconds": round(time.monotonic() - started), "loss": round(last, 4)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=MODEL_FOLDER, help="the model folder; holds tokenizer.model already"
    )
    parser.add_argument("--steps", type=int, default=5001)
    parser.add_argument("--batch-tokens", type=int, default=32_768)
    parser.add_argument(
        "--shape", type=int, nargs=3, default=(256, 768, 4), metavar=("HIDDEN", "INTERMEDIATE", "LAYERS")
    )
    parser.add_argument(
        "--corpus", type=Path, help="keep the encoded training text in this file, for several trainings"
    )
    parser.add_argument(
        "--wordings", type=int, default=5, help="how often each program is written, each time in other words"
    )
    parser.add_argument("--programs", type=int, default=PROGRAM_COUNT)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--most-seconds", type=float, default=3600, help="lower --steps so that training ends in time")
    options = parser.parse_args()

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_float32_matmul_precision("high")
    record = train(options, device)
    record["device"] = torch.cuda.get_device_name() if device == "cuda" else platform.processor()
    record["torch"] = torch.__version__
    record["options"] = {name: value for name, value in vars(options).items() if name not in ("out", "corpus")}
    (options.out / "training.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
