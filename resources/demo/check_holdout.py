#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Proves that no training program is a demo problem. Standard library only; exit code 1 says it failed.

Every training program is drawn again from the seed and compared with every problem: by its operations (whatever
their order and parameters), and by its body with the argument's name taken out. The bodies of the problems are
read from the file, not from the generator. The check also sees to it that every operation and every parameter of
a problem occurs in training, so that the problems can be solved at all.
"""

import argparse
import json
import re
import sys

from corpus import drawn_programs
from demo_programs.composition import skeleton
from demo_programs.problem import held_out
from demo_programs.program import ANY_NAME, normalised_body
from settings import PROBLEM_COUNT, PROBLEMS_FILE, PROGRAM_COUNT, SEED


def body_of(problem):
    """The canonical solution with the argument's name taken out."""
    argument = re.match(r"def \w+\((\w+):", problem["prompt"]).group(1)
    return re.sub(rf"(?<![\"\w.]){argument}(?![\"\w])", ANY_NAME, problem["canonical_solution"])


def parts_of(composition):
    """Every (operation, place, parameter), and the bare operation for one without parameters."""
    for step in composition.steps:
        yield step.operation.name, None, None
        for place, parameter in enumerate(step.parameters):
            yield step.operation.name, place, parameter


def read_training(program_count):
    """(skeletons, bodies, parts) of every training program."""
    skeletons, bodies, parts = set(), set(), set()
    for composition in drawn_programs(program_count):
        skeletons.add(skeleton(composition))
        bodies.add(normalised_body(composition))
        parts.update(parts_of(composition))
    return skeletons, bodies, parts


def find_faults(problems, compositions, training):
    skeletons, bodies, parts = training
    for problem, composition in zip(problems, compositions):
        task = problem["task_id"]
        if body_of(problem) in bodies:
            yield f"{task}: a training program has the same body"
        if normalised_body(composition) != body_of(problem):
            yield f"{task}: its body in the file is not that of its composition"
        if skeleton(composition) in skeletons:
            yield f"{task}: a training program has the same operations"
        for name, _, parameter in set(parts_of(composition)) - parts:
            yield f"{task}: no training program has operation {name} with parameter {parameter!r}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", default=PROBLEMS_FILE, help="the problem file to check")
    parser.add_argument("--programs", type=int, default=PROGRAM_COUNT, help="how many training programs to draw")
    options = parser.parse_args()

    with open(options.problems, encoding="utf-8") as lines:
        problems = [json.loads(line) for line in lines]
    training = read_training(options.programs)
    expected, compositions = held_out(SEED, PROBLEM_COUNT, training[0])
    faults = list(find_faults(problems, compositions, training))
    if problems != expected:
        faults.append(f"{options.problems} is not what make_problems.py writes")
    for fault in faults[:20]:
        print(f"check_holdout: {fault}", file=sys.stderr)
    if faults:
        sys.exit(1)
    print(f"held out: {len(problems)} problems against {options.programs} training programs, none shared")


if __name__ == "__main__":
    main()
