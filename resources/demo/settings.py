# SPDX-License-Identifier: Apache-2.0
"""The numbers that fix the demo: change one and everything must be made again."""

from pathlib import Path

SEED = 20261123
PROBLEM_COUNT = 164
PROGRAM_COUNT = 300_000
VOCABULARY_SIZE = 1280

HERE = Path(__file__).resolve().parent
RESERVED_FILE = HERE / "reserved.json"
PROBLEMS_FILE = HERE / "problems.jsonl"
MODEL_FOLDER = HERE / "model"
