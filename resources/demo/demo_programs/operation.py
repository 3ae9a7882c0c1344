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

SMALL = tuple(range(2, 10))
COUNTS = (1, 2, 3, 4, 5)
LIMITS = tuple(range(-5, 0)) + tuple(range(1, 31))  # 0 has operations of its own
VOWELS = "aeiou"
LETTERS = tuple("abcdefghilmnoprstuw")
MARKS = ("-", "_", "+", "/", "|", ":", ";", "!", "?", "*", "#", ".")
STEMS = ("ab", "re", "un", "ing", "er", "x", "ly", "pre", "end", "no", "ok", "zz")


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


def fill(template, step, value=""):
    """The template with the value's expression and the step's parameters in place."""
    text = template.replace("$v", value)
    for mark, parameter in zip(("$a", "$b"), step.parameters):
        text = text.replace(mark, source_literal(parameter))
    return text
