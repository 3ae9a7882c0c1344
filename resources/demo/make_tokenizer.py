#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the demo model's SentencePiece vocabulary on the training text; needs the sentencepiece package."""

import argparse
import json
from pathlib import Path

import sentencepiece

from corpus import document, training_programs
from settings import MODEL_FOLDER, PROBLEMS_FILE, VOCABULARY_SIZE

SAMPLE = 30_000
TOKENIZER_CONFIG = {
    "tokenizer_class": "LlamaTokenizer",
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "add_bos_token": True,
    "add_eos_token": False,
    "add_prefix_space": False,
    "legacy": False,
    "clean_up_tokenization_spaces": False,
}


def text_lines():
    for number, composition in enumerate(training_programs()[:SAMPLE]):
        prompt, body = document(composition, number, 0)
        yield from (line for line in (prompt + body).split("\n") if line)


def train(folder):
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "tokenizer.model", "wb") as model:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=text_lines(),
            model_writer=model,
            model_type="bpe",
            vocab_size=VOCABULARY_SIZE,
            byte_fallback=True,
            character_coverage=1.0,
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            allow_whitespace_only_pieces=True,
            split_digits=True,
            user_defined_symbols=["\n"],
            unk_id=0,
            bos_id=1,
            eos_id=2,
            pad_id=-1,
            num_threads=1,
            minloglevel=1,
        )
    (folder / "tokenizer_config.json").write_text(json.dumps(TOKENIZER_CONFIG, indent=2) + "\n", encoding="utf-8")


def check(folder):
    """Decoding gives back exactly what was encoded, and a body starts at a token boundary."""
    processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    lengths = []
    for line in PROBLEMS_FILE.read_text(encoding="utf-8").splitlines():
        problem = json.loads(line)
        prompt, body = problem["prompt"], problem["canonical_solution"]
        tokens = processor.encode(prompt)
        lengths.append((len(tokens), len(processor.encode(body))))
        assert processor.decode(processor.encode(prompt + body)) == prompt + body
        assert tokens + processor.encode(body) == processor.encode(prompt + body)
    for text in (" a  b", "    return x\n", "\n\n\tx = 'é€'\n", "", "   ", "\n", "x\r\n"):
        assert processor.decode(processor.encode(text)) == text, repr(text)
    means = [sum(column) / len(lengths) for column in zip(*lengths)]
    print(f"{processor.get_piece_size()} pieces; a problem has {means[0]:.0f} prompt and {means[1]:.0f} body tokens")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=MODEL_FOLDER)
    options = parser.parse_args()
    train(options.out)
    check(options.out)


if __name__ == "__main__":
    main()
