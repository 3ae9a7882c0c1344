# SPDX-License-Identifier: Apache-2.0
"""How a description gives a parameter: as it is, in words, or by a name that the description explains."""

from .chance import below, between, pick
from .operation import source_literal

NAMES = ("N", "M", "P", "Q")
MOST_NAMES = 2
UNITS = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
)
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def in_words(number):
    """Whole numbers from -99 to 99."""
    if number < 0:
        return "minus " + in_words(-number)
    if number < 20:
        return UNITS[number]
    tens, unit = divmod(number, 10)
    return TENS[tens] + ("-" + UNITS[unit] if unit else "")


def _explained_number(random, number):
    """An expression that works out to the number."""
    other = between(random, 2, 49)
    form = below(random, 6)
    if form == 0 and number > 3:
        factors = [f for f in range(2, number) if number % f == 0]
        if factors:
            factor = pick(random, factors)
            return f"{factor} * {number // factor}"
    if form == 1 and number % 2 == 0:
        return f"twice {number // 2}"
    if form == 2:
        return f"half of {2 * number}"
    if form < 5 and number > other:
        return f"{number - other} + {other}"
    return f"{number + other} - {other}"


def _explained_letter(random, letter):
    if below(random, 2) == 0:
        return f'the letter after "{chr(ord(letter) - 1)}"'
    return f'the letter before "{chr(ord(letter) + 1)}"'


def _explained(random, parameter):
    """An explanation of the parameter, or None where there is nothing to explain."""
    if isinstance(parameter, int):
        return _explained_number(random, parameter)
    if len(parameter) == 1 and "b" <= parameter <= "y":
        return _explained_letter(random, parameter)
    return None


class Speaker:
    """Says parameters, and remembers the names that it gave to some of them; an eager one names all it may."""

    def __init__(self, random, eager=False):
        self.random = random
        self.eager = eager
        self.first = below(random, len(NAMES))
        self.explanations = []

    def say(self, parameter):
        form = below(self.random, 20)
        if (self.eager or form < 11) and len(self.explanations) < MOST_NAMES:
            explanation = _explained(self.random, parameter)
            if explanation:
                name = NAMES[(self.first + len(self.explanations)) % len(NAMES)]
                self.explanations.append((name, explanation))
                return name
        if form > 16 and isinstance(parameter, int):
            return in_words(parameter)
        return source_literal(parameter)

    def with_explanations(self, sentence):
        """The sentence and, before or behind it, what its names mean."""
        if not self.explanations:
            return sentence
        explanations = list(self.explanations)
        if below(self.random, 2) == 0:
            explanations.reverse()
        if below(self.random, 2) == 0:
            return "Let " + " and ".join(f"{n} be {e}" for n, e in explanations) + ". " + sentence
        return sentence[:-1] + ", where " + " and ".join(f"{n} is {e}" for n, e in explanations) + "."
