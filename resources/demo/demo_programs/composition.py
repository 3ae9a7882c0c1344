# SPDX-License-Identifier: Apache-2.0
"""Draws compositions of one to four operations, and says when two compositions count as the same."""

from typing import NamedTuple

from . import number_operations, single_number_operations, table_operations, text_operations, word_operations
from .chance import pick, source
from .operation import Step

OPERATIONS = (
    number_operations.OPERATIONS
    + single_number_operations.OPERATIONS
    + text_operations.OPERATIONS
    + word_operations.OPERATIONS
    + table_operations.OPERATIONS
)
BY_KIND = {
    kind: tuple(o for o in OPERATIONS if o.takes == kind) for kind in ("numbers", "text", "words", "table", "number")
}
FIRST_KINDS = ("numbers",) * 6 + ("text",) * 5 + ("words",) * 4 + ("table",) * 4 + ("number",)
LENGTHS = (1,) + (2,) * 3 + (3,) * 5 + (4,) * 4
TRAINING_STREAM = 1
TEST_STREAM = 2


class Composition(NamedTuple):
    steps: tuple

    @property
    def takes(self):
        return self.steps[0].operation.takes

    @property
    def gives(self):
        return self.steps[-1].operation.gives


def _fits(steps, operation):
    if any(step.operation is operation for step in steps):
        return False
    if not steps:
        return True
    before = steps[-1].operation
    if operation.group and operation.group == before.group:
        return False
    return not (before.ordering == "sets" and operation.ordering == "ignores")


def draw(random, length):
    """A composition of `length` steps whose kinds fit together."""
    kind = pick(random, FIRST_KINDS)
    steps = []
    while len(steps) < length:
        operation = pick(random, BY_KIND[kind])
        if not _fits(steps, operation) or (operation.gives == "truth" and len(steps) + 1 < length):
            continue
        steps.append(Step(operation, tuple([pick(random, domain) for domain in operation.domains])))
        kind = operation.gives
    return Composition(tuple(steps))


def skeleton(composition):
    """The operations regardless of their order and parameters: what test and training never share.

    An operation is known by its code here, since two kinds may share it (reversing a list or a text).
    """
    return tuple(sorted([step.operation.code for step in composition.steps]))


def exact_key(composition):
    """The operations with their parameters, in order: equal keys are the same program."""
    return tuple([(step.operation.name, step.parameters) for step in composition.steps])


def training_compositions(seed, count, held_out):
    """Yields `count` distinct compositions, none of whose skeletons is in `held_out`."""
    random = source(seed, TRAINING_STREAM)
    seen = set()
    while len(seen) < count:
        composition = draw(random, pick(random, LENGTHS))
        if len(composition.steps) > 1 and skeleton(composition) in held_out:
            continue
        key = exact_key(composition)
        if key in seen:
            if len(composition.steps) > 1:
                continue
            key = (key, len(seen))  # the few one-step programs come again and again, in other words
        seen.add(key)
        yield composition
