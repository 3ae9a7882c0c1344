# SPDX-License-Identifier: Apache-2.0
"""The training text: every training composition in several wordings, each a prompt and a body. Standard library only."""

import functools

from demo_programs.chance import source
from demo_programs.composition import skeleton, training_compositions
from demo_programs.problem import held_out
from demo_programs.program import body
from demo_programs.wording import header
from settings import PROBLEM_COUNT, PROGRAM_COUNT, SEED

WORDING_STREAM = 3


@functools.lru_cache(maxsize=1)
def training_programs(count=PROGRAM_COUNT):
    _, compositions = held_out(SEED, PROBLEM_COUNT)
    return list(training_compositions(SEED, count, frozenset(skeleton(c) for c in compositions)))


def document(composition, number, wording):
    """(prompt, body) of training program `number` in its wording `wording`; the body has no last newline."""
    random = source(SEED, WORDING_STREAM, wording, number)
    prompt, _, argument = header(random, composition)
    return prompt, body(composition, argument).rstrip("\n")
