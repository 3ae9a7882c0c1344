#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of the shipped demo problems and the demo model's folder. Standard library only."""

import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

DEMO = Path(__file__).resolve().parents[2] / "resources" / "demo"
KEYS = ["task_id", "prompt", "entry_point", "canonical_solution", "test"]
STUBS = ["None", "0", "1", "-1", "[]", '""', "{}", "True", "False"]
MOST_BYTES = 20_000_000


def load_problems():
    return [json.loads(line) for line in (DEMO / "problems.jsonl").read_text(encoding="utf-8").splitlines()]


def passes(problem, body):
    """The verdict of the body, run here: only text from this repository comes this way."""
    names = {}
    try:
        exec(problem["prompt"] + body + "\n" + problem["test"], names)
        names["check"](names[problem["entry_point"]])
    except Exception:
        return False
    return True


def run_check(*arguments, hash_seed="0"):
    environment = dict(os.environ, PYTHONHASHSEED=hash_seed, PYTHONDONTWRITEBYTECODE="1")
    command = [sys.executable, str(DEMO / "check_holdout.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


class Problems(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.problems = load_problems()

    def test_form_is_humaneval(self):
        self.assertEqual([p["task_id"] for p in self.problems], [f"Demo/{i}" for i in range(164)])
        for problem in self.problems:
            with self.subTest(problem["task_id"]):
                self.assertEqual(list(problem), KEYS)
                self.assertTrue(problem["prompt"].startswith(f"def {problem['entry_point']}("))
                self.assertTrue(problem["prompt"].endswith('    """\n'))
                self.assertTrue(problem["test"].startswith("def check(candidate):\n"))
                self.assertGreaterEqual(problem["test"].count("    assert candidate("), 4)

    def test_canonical_solutions_pass(self):
        failed = [p["task_id"] for p in self.problems if not passes(p, p["canonical_solution"])]
        self.assertEqual(failed, [])

    def test_stubs_fail(self):
        for stub in STUBS:
            passed = [p["task_id"] for p in self.problems if passes(p, f"    return {stub}\n")]
            self.assertEqual(passed, [], f"return {stub} passes")

    def test_returning_the_argument_fails(self):
        for problem in self.problems:
            argument = problem["prompt"].split("(", 1)[1].split(":", 1)[0]
            self.assertFalse(passes(problem, f"    return {argument}\n"), problem["task_id"])

    def test_leaving_out_the_last_step_fails(self):
        for problem in self.problems:
            lines = problem["canonical_solution"].splitlines(keepends=True)[:-1]
            self.assertFalse(passes(problem, "".join(lines) + "    return result\n"), problem["task_id"])

    def test_examples_are_true(self):
        for problem in self.problems:
            with self.subTest(problem["task_id"]):
                call, result = problem["prompt"].splitlines()[-3:-1]
                names = {}
                exec(problem["prompt"] + problem["canonical_solution"], names)
                self.assertEqual(repr(eval(call.strip()[len(">>> ") :], names)), result.strip())


class HeldOut(unittest.TestCase):
    def test_no_training_program_is_a_problem(self):
        done = run_check(hash_seed="4711")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("164 problems against 300000 training programs, none shared", done.stdout)

    def test_a_leaked_program_is_found(self):
        sys.path.insert(0, str(DEMO))
        sys.dont_write_bytecode = True
        from corpus import drawn_programs
        from demo_programs.program import body

        leaked = next(c for c in drawn_programs(100) if len(c.steps) == 3)
        problems = load_problems()
        problems[5]["canonical_solution"] = body(leaked, problems[5]["prompt"].split("(", 1)[1].split(":", 1)[0])
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "problems.jsonl"
            file.write_text("".join(json.dumps(p) + "\n" for p in problems), encoding="utf-8")
            done = run_check("--problems", str(file), "--programs", "1000")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("Demo/5: a training program has the same body", done.stderr)


class ModelFolder(unittest.TestCase):
    def setUp(self):
        self.folder = DEMO / "model"
        self.config = json.loads((self.folder / "config.json").read_text(encoding="utf-8"))

    def test_size(self):
        self.assertLessEqual(sum(f.stat().st_size for f in self.folder.iterdir()), MOST_BYTES)
        self.assertTrue((self.folder / "tokenizer.model").is_file())

    def test_shape_suits_the_rotations(self):
        self.assertEqual(self.config["architectures"], ["LlamaForCausalLM"])
        self.assertEqual(self.config["hidden_size"] % 256, 0)
        self.assertEqual(self.config["intermediate_size"] % 256, 0)
        self.assertEqual(self.config["head_dim"], 64)

    def test_weights_are_all_there(self):
        data = (self.folder / "model.safetensors").read_bytes()
        (length,) = struct.unpack_from("<Q", data)
        header = json.loads(data[8 : 8 + length])
        header.pop("__metadata__", None)
        hidden, layers = self.config["hidden_size"], self.config["num_hidden_layers"]
        self.assertEqual(header["model.embed_tokens.weight"]["shape"], [self.config["vocab_size"], hidden])
        self.assertEqual(len(header), 2 + 9 * layers)
        self.assertEqual({t["dtype"] for t in header.values()}, {"BF16"})
        self.assertEqual(max(t["data_offsets"][1] for t in header.values()), len(data) - 8 - length)


if __name__ == "__main__":
    unittest.main()
