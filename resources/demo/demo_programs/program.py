# SPDX-License-Identifier: Apache-2.0
"""A composition as Python source, and as a function that can be called."""

import functools

from .operation import fill

# The one name that stands for the argument where programs are compared.
ANY_NAME = "value"


def body(composition, argument):
    """The statements, indented by four spaces; the last line ends in a newline."""
    lines = []
    value = argument
    last = len(composition.steps) - 1
    for index, step in enumerate(composition.steps):
        target = "return " if index == last else "result = "
        lines.append("    " + target + fill(step.operation.code, step, value) + "\n")
        value = "result"
    return "".join(lines)


def normalised_body(composition):
    return body(composition, ANY_NAME)


@functools.lru_cache(maxsize=100_000)
def _step_function(code):
    return eval("lambda value: " + code)  # the code is a table row of ours


def apply_steps(steps, value):
    for step in steps:
        value = _step_function(fill(step.operation.code, step, "value"))(value)
    return value
