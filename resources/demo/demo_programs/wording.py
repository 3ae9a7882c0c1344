# SPDX-License-Identifier: Apache-2.0
"""A composition as a documented Python function header: name, argument, description and example."""

from .chance import below, pick
from .inputs import example_input
from .operation import ANNOTATIONS, fill
from .program import apply_steps
from .speech import Speaker

ARGUMENTS = {
    "numbers": ("numbers", "values", "nums", "items", "data"),
    "text": ("text", "string", "sentence", "line", "message"),
    "words": ("words", "names", "strings", "tokens", "terms"),
    "table": ("table", "scores", "prices", "stock", "ages"),
    "number": ("number", "n", "num", "amount", "total"),
}
SUBJECTS = {
    "numbers": ("a list of numbers", "the list of integers"),
    "text": ("a text", "the string"),
    "words": ("a list of words", "the list of strings"),
    "table": ("a dictionary from word to number", "the dictionary"),
    "number": ("a number", "the integer"),
}
VERBS = ("change", "handle", "process", "turn", "work")
LONGEST_RESULT = 50


def _capitalised(clause):
    return clause[0].upper() + clause[1:]


def _in_a_row(clauses):
    """The clauses as one list: "a", "a and b", "a, b and c"."""
    if len(clauses) == 1:
        return clauses[0]
    return ", ".join(clauses[:-1]) + " and " + clauses[-1]


def _ending_in_a_noun(random, subject, clauses, noun):
    if not clauses:
        return pick(random, ("Return {0}.", "Given {1}, return {0}.")).format(noun, subject)
    row = _in_a_row(clauses)
    form = below(random, 5)
    if form == 0:
        return _capitalised(", ".join(clauses)) + " and return " + noun + "."
    if form == 1:
        return "Given " + subject + ", " + row + ". Return " + noun + "."
    if form == 2:
        return "After you " + row + ", return " + noun + "."
    if form == 3:
        return "Return " + noun + " once you " + row + "."
    return " ".join(_capitalised(c) + "." for c in clauses) + " Return " + noun + "."


def _ending_in_a_step(random, subject, clauses):
    row = _in_a_row(clauses)
    form = below(random, 8)
    if form == 0:
        return _capitalised(", then ".join(clauses)) + "."
    if form == 1:
        return "Given " + subject + ", " + row + "."
    if form == 2:
        return " ".join(_capitalised(c) + "." for c in clauses)
    if form == 3 and len(clauses) > 1:
        return "After you " + _in_a_row(clauses[:-1]) + ", " + clauses[-1] + "."
    if form == 4 and len(clauses) > 1:
        return _capitalised(clauses[-1]) + ", but first " + _in_a_row(clauses[:-1]) + "."
    if form == 5 and len(clauses) > 1:
        return "From last to first: " + "; ".join(reversed(clauses)) + "."
    if form == 6:
        return "Take " + subject + "; " + "; ".join(clauses) + "."
    return _capitalised(row) + " and return the result."


def describe(random, composition, eager):
    """(description, how many parameters it gives by name)."""
    steps = composition.steps
    subject = pick(random, SUBJECTS[composition.takes])
    nouns = steps[-1].operation.nouns
    by_noun = bool(nouns) and below(random, 3) > 0
    speaker = Speaker(random, eager)
    choices = [step.operation.phrases for step in steps]
    if by_noun:
        choices[-1] = nouns
    clauses = [fill(pick(random, choice), step, write=speaker.say) for choice, step in zip(choices, steps)]
    if by_noun:
        sentence = _ending_in_a_noun(random, subject, clauses[:-1], clauses[-1])
    else:
        sentence = _ending_in_a_step(random, subject, clauses)
    return speaker.with_explanations(sentence), len(speaker.explanations)


def function_name(random, composition):
    """What goes in and what comes out; the description has to tell the rest."""
    return pick(random, VERBS) + "_" + composition.takes + pick(random, ("", "_to_" + composition.gives))


def _example(random, composition):
    """An argument and its result, the result short enough to print; the last try is taken as it is."""
    for longest in (6, 5, 4, 3, 2):
        argument = example_input(random, composition.takes, longest)
        result = apply_steps(composition.steps, argument)
        if len(repr(result)) <= LONGEST_RESULT:
            break
    return argument, result


def header(random, composition, eager=False):
    """(prompt, argument name, how many parameters have names) in HumanEval's form."""
    name = function_name(random, composition)
    argument = pick(random, ARGUMENTS[composition.takes])
    value, result = _example(random, composition)
    annotations = ANNOTATIONS[composition.takes], ANNOTATIONS[composition.gives]
    description, names = describe(random, composition, eager)
    prompt = (
        f"def {name}({argument}: {annotations[0]}) -> {annotations[1]}:\n"
        f'    """ {description}\n'
        f"    >>> {name}({value!r})\n"
        f"    {result!r}\n"
        '    """\n'
    )
    return prompt, argument, names
