#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Proves that no training program is a demo problem. Standard library only; exit code 1 says it failed.

Every training composition is drawn again from the seed and compared with every problem: by its operations
(whatever their order and parameters), and by its body with the argument's name taken out. The bodies of the
problems are read from the file, not from the generator. The check also sees to it that every operation and
every parameter of a problem occurs in training, so that the problems can be solved at all.
"""

import argparse
import json
import re
import sys

from demo_programs.composition import skeleton, training_compositions
from demo_programs.problem import held_out
from demo_programs.program import ANY_NAME, normalised_body
from settings import PROBLEM_COUNT, PROBLEMS_FILE, PROGRAM_COUNT, SEED


def body_of(problem):
    """The canonical solution with the argument's name taken out."""
    argument = re.match(r"def \w+\((\w+):", problem["prompt"]).group(1)
    return re.sub(rf"(?<![\"\w]){argument}(?![\"\w])", ANY_NAME, problem["canonical_solution"])


def parts_of(composition):
    """Every (operation, place, parameter), and the bare operation for one without parameters."""
    for step in composition.steps:
        yield step.operation.name, None, None
        for place, parameter in enumerate(step.parameters):
            yield step.operation.name, place, parameter


def find_faults(problems, compositions, program_count):
    skeletons = {skeleton(c): p["task_id"] for p, c in zip(problems, compositions)}
    bodies = {body_of(p): p["task_id"] for p in problems}
    unseen = {part for c in compositions for part in parts_of(c)}
    faults = []
    for number, composition in enumerate(training_compositions(SEED, program_count, frozenset(skeletons))):
        unseen.difference_update(parts_of(composition))
        text = normalised_body(composition)
        if text in bodies:
            faults.append(f"training program {number} has the body of {bodies[text]}")
        if skeleton(composition) in skeletons:
            faults.append(f"training program {number} has the operations of {skeletons[skeleton(composition)]}")
    faults += [f"no training program has operation {n} with parameter {p!r}" for n, _, p in sorted(unseen, key=repr)]
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", default=PROBLEMS_FILE, help="the problem file to check")
    parser.add_argument("--programs", type=int, default=PROGRAM_COUNT, help="how many training programs to draw")
    options = parser.parse_args()

    with open(options.problems, encoding="utf-8") as lines:
        problems = [json.loads(line) for line in lines]
    expected, compositions = held_out(SEED, PROBLEM_COUNT)
    faults = [] if problems == expected else [f"{options.problems} is not what make_problems.py writes"]
    if not faults:
        faults = find_faults(problems, compositions, options.programs)
    for fault in faults[:20]:
        print(f"check_holdout: {fault}", file=sys.stderr)
    if faults:
        sys.exit(1)
    print(f"held out: {len(problems)} problems against {options.programs} training programs, none shared")


if __name__ == "__main__":
    main()
