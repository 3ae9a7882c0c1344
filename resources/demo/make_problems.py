#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes problems.jsonl: 164 held-out problems in HumanEval's file format. Standard library only."""

import json

from corpus import drawn_programs
from demo_programs.composition import skeleton
from demo_programs.problem import held_out
from settings import PROBLEM_COUNT, PROBLEMS_FILE, SEED


def main():
    trained = {skeleton(composition) for composition in drawn_programs()}
    problems, _ = held_out(SEED, PROBLEM_COUNT, trained)
    lines = [json.dumps(problem, ensure_ascii=True) + "\n" for problem in problems]
    PROBLEMS_FILE.write_text("".join(lines), encoding="utf-8")
    print(f"{len(problems)} problems written to {PROBLEMS_FILE}")


if __name__ == "__main__":
    main()
