# SPDX-License-Identifier: Apache-2.0
"""A held-out composition as a problem in HumanEval's file format, with tests that tell wrong programs apart."""

from .chance import pick, source
from .composition import TEST_STREAM, Step, draw, skeleton
from .inputs import EDGES, example_input
from .program import apply_steps, body
from .wording import header

TEST_LENGTHS = (3, 4)
MOST_ASSERTS = 10
FEWEST_ASSERTS = 6
LONGEST_RESULT = 200
LONGEST_PROMPT = 420
POOL = 80


def _near_misses(parameter, domain):
    """The values a wrong program is likely to have instead: the neighbours, and those a ten away."""
    if isinstance(parameter, str):
        place = domain.index(parameter)
        return [domain[place - 1], domain[(place + 1) % len(domain)]]
    return [n for n in (parameter - 1, parameter + 1, parameter - 10, parameter + 10) if n > 0]


def _wrong_variants(composition):
    """Programs that the tests should fail: a step left out, a parameter changed, two steps swapped."""
    steps = composition.steps
    for index, step in enumerate(steps):
        yield steps[:index] + steps[index + 1 :]
        for place, domain in enumerate(step.operation.domains):
            for other in _near_misses(step.parameters[place], domain):
                parameters = step.parameters[:place] + (other,) + step.parameters[place + 1 :]
                yield steps[:index] + (Step(step.operation, parameters),) + steps[index + 1 :]
    for index in range(len(steps) - 1):
        if steps[index].operation.takes == steps[index].operation.gives == steps[index + 1].operation.gives:
            yield steps[:index] + (steps[index + 1], steps[index]) + steps[index + 2 :]


def _outcome(steps, argument):
    """(type, value), to be compared as the tests compare: a dictionary's order does not count."""
    try:
        value = apply_steps(steps, argument)
    except Exception as error:  # a wrong variant may not even fit its input
        return Exception, type(error).__name__
    return type(value), value


def _chosen_arguments(random, composition):
    """Arguments that together tell the composition from its wrong variants; None if they cannot."""
    pool = list(EDGES[composition.takes])
    pool += [example_input(random, composition.takes, 7) for _ in range(POOL)]
    expected = [_outcome(composition.steps, a) for a in pool]
    usable = [i for i, e in enumerate(expected) if len(repr(e[1])) <= LONGEST_RESULT]
    alive = {}
    for variant in _wrong_variants(composition):
        killers = [i for i in usable if _outcome(variant, pool[i]) != expected[i]]
        if not killers and len(variant) < len(composition.steps):
            return None  # a step that changes nothing: no problem at all
        if killers:
            alive[variant] = killers
    chosen = usable[:3]
    while alive and len(chosen) < MOST_ASSERTS:
        alive = {v: k for v, k in alive.items() if not set(k) & set(chosen)}
        if alive:
            chosen.append(next(iter(alive.values()))[0])
    two_valued = composition.gives == "truth"
    for index in usable[3:]:
        if len(chosen) < FEWEST_ASSERTS and (two_valued or expected[index] not in [expected[i] for i in chosen]):
            chosen.append(index)
    if alive or len({repr(expected[i]) for i in chosen}) < (2 if two_valued else 4):
        return None
    return [pool[i] for i in chosen]


def _test_source(composition, arguments):
    lines = ["def check(candidate):\n"]
    for argument in arguments:
        result = apply_steps(composition.steps, argument)
        comparison = "is" if composition.gives == "truth" else "=="
        lines.append(f"    assert candidate({argument!r}) {comparison} {result!r}\n")
    return "".join(lines)


def _problem(number, prompt, argument, composition, arguments):
    return {
        "task_id": f"Demo/{number}",
        "prompt": prompt,
        "entry_point": prompt[len("def ") : prompt.index("(")],
        "canonical_solution": body(composition, argument),
        "test": _test_source(composition, arguments),
    }


def held_out(seed, count, trained):
    """(problems, compositions): `count` problems whose skeletons differ from each other and from all in `trained`.

    Parameters are given by name wherever possible; every fourth problem may have one name, the others have two.
    """
    random = source(seed, TEST_STREAM)
    problems, compositions, taken = [], [], set(trained)
    while len(problems) < count:
        composition = draw(random, pick(random, TEST_LENGTHS))
        prompt, argument, names = header(random, composition, eager=True)
        fewest = 1 if len(problems) % 4 == 3 else 2
        if skeleton(composition) in taken or names < fewest or len(prompt) > LONGEST_PROMPT:
            continue
        arguments = _chosen_arguments(random, composition)
        if arguments is None:
            continue
        taken.add(skeleton(composition))
        problems.append(_problem(len(problems), prompt, argument, composition, arguments))
        compositions.append(composition)
    return problems, compositions
