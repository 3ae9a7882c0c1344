# SPDX-License-Identifier: Apache-2.0
"""The training text: each training composition in several wordings, a prompt and a body. Standard library only."""

import functools
import json

from demo_programs.chance import source
from demo_programs.composition import training_compositions
from demo_programs.program import body
from demo_programs.wording import header
from settings import PROGRAM_COUNT, RESERVED_FILE, SEED

WORDING_STREAM = 3


def drawn_programs(count=PROGRAM_COUNT):
    """Yields the training compositions; reserved.json lists what was set aside before the first of them was drawn."""
    reserved = frozenset(tuple(codes) for codes in json.loads(RESERVED_FILE.read_text(encoding="utf-8")))
    return training_compositions(SEED, count, reserved)


@functools.lru_cache(maxsize=1)
def training_programs(count=PROGRAM_COUNT):
    return list(drawn_programs(count))


def document(composition, number, wording):
    """(prompt, body) of training program `number` in its wording `wording`; the body has no last newline."""
    random = source(SEED, WORDING_STREAM, wording, number)
    prompt, argument, _ = header(random, composition)
    return prompt, body(composition, argument).rstrip("\n")
