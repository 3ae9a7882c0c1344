# SPDX-License-Identifier: Apache-2.0
"""Argument values for programs: short ones for docstring examples, awkward ones for tests."""

from .chance import below, between, pick

NOUNS = (
    "apple",
    "bread",
    "cat",
    "door",
    "egg",
    "fig",
    "gate",
    "house",
    "ink",
    "jam",
    "lamp",
    "moon",
    "nest",
    "oak",
    "pen",
    "rose",
    "sun",
    "tree",
    "wall",
    "level",
    "noon",
    "river",
    "stone",
    "grass",
    "Ann",
    "Bob",
    "Rome",
    "MILK",
    "Tea",
    "abc",
)
EDGES = {
    "numbers": ([], [0], [7], [-3, -3, 5], [1, 2, 3, 4, 5, 6], [10, 9, 8, 7]),
    "text": ("", "a", " Hello World ", "noon", "abc 123 XYZ", "Mississippi river"),
    "words": ([], [""], ["a"], ["noon", "Level", "noon"], ["Pear", "fig", "banana", "kiwi"]),
    "table": ({}, {"a": 0}, {"one": 1, "two": 2, "three": 3}, {"x": -4, "yy": 9, "zzz": 9}),
    "number": (0, 1, 7, -12, 100, 255),
}


def _numbers(random, longest):
    low, high = pick(random, ((0, 9), (0, 30), (-9, 9), (-9, 60), (1, 5), (1, 99)))
    return [between(random, low, high) for _ in range(between(random, 2, longest))]


def _text(random, longest):
    words = [pick(random, NOUNS) for _ in range(between(random, 1, max(1, longest // 3)))]
    if below(random, 3) == 0:
        words.append(str(below(random, 100)))
    return " ".join(words)


def _words(random, longest):
    words = [pick(random, NOUNS) for _ in range(between(random, 1, max(2, longest - 2)))]
    if below(random, 3) == 0:
        words.append(words[0])
    return words


def _table(random, longest):
    low, high = pick(random, ((0, 9), (0, 30), (-9, 20), (1, 99)))
    return {pick(random, NOUNS): between(random, low, high) for _ in range(between(random, 1, max(2, longest - 3)))}


def _number(random, _longest):
    return pick(random, (below(random, 10), below(random, 100), below(random, 1000), -below(random, 50)))


_MAKERS = {"numbers": _numbers, "text": _text, "words": _words, "table": _table, "number": _number}


def example_input(random, kind, longest=5):
    """A value of the kind with about `longest` items at most."""
    return _MAKERS[kind](random, longest)
