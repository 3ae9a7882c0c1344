# SPDX-License-Identifier: Apache-2.0
"""What an operation is: one step of a program, in code and in words."""

from typing import NamedTuple

# The kinds of value that flow between steps, and their annotations.
ANNOTATIONS = {
    "numbers": "list[int]",
    "text": "str",
    "words": "list[str]",
    "table": "dict[str, int]",
    "number": "int",
    "truth": "bool",
}

AMOUNTS = tuple(range(1, 100))
FACTORS = tuple(range(2, 20))
SMALL = tuple(range(2, 10))
COUNTS = (1, 2, 3, 4, 5)
LIMITS = tuple(range(-9, 0)) + AMOUNTS  # 0 has operations of its own
VOWELS = "aeiou"
LETTERS = tuple("abcdefghilmnoprstuw")
MARKS = ("-", "_", "+", "/", "|", ":", ";", "!", "?", "*", "#", ".")
STEMS = tuple(a + b + c for a in "bdfgklmnprst" for b in "aeiou" for c in "lnrst")


class Operation(NamedTuple):
    """`code` and `phrases` hold $v for the value so far and $a, $b for the parameters.

    A phrase is an imperative clause ("keep the even numbers"); `nouns`, if any, name the outcome
    ("the sum of the numbers"). Two operations of one `group` never follow each other.
    `ordering` is "sets" for a step that only reorders and "ignores" for one that does not see order.
    """

    name: str
    takes: str
    gives: str
    code: str
    phrases: tuple
    nouns: tuple = ()
    domains: tuple = ()
    group: str = ""
    ordering: str = ""


class Step(NamedTuple):
    """An operation with its parameters chosen."""

    operation: Operation
    parameters: tuple


def source_literal(parameter):
    """The parameter as both the code and the docstring write it."""
    return '"' + parameter + '"' if isinstance(parameter, str) else str(parameter)


def fill(template, step, value="", write=source_literal):
    """The template with the value's expression and the step's parameters in place, written by `write`."""
    text = template.replace("$v", value)
    for mark, parameter in zip(("$a", "$b"), step.parameters):
        if mark in text:
            text = text.replace(mark, write(parameter))
    return text
