"""Parts of reports: metrics, a training curve, and samples made of real code of the running interpreter."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random
from typing import Any

MODULES = ("textwrap", "bisect", "heapq", "shlex", "fnmatch", "string", "queue", "sched", "csv", "calendar")
FRACTIONS = {
    "fim_line_exact_match_raw": (0.042, 0.167),
    "fim_line_exact_match_truncated": (0.292, 0.333),
    "fim_line_edit_similarity_raw": (0.213, 0.648),
    "fim_line_edit_similarity_truncated": (0.671, 0.702),
    "fim_block_edit_similarity_raw": (0.184, 0.402),
    "fim_block_edit_similarity_truncated": (0.455, 0.448),
    "fim_stop_rate": (0.083, 0.875),
}


def estimate(value: float, half: float) -> dict[str, float]:
    return {"value": value, "low": value - half, "high": value + half}


def change(before: float, after: float, half: float) -> dict[str, dict[str, float]]:
    return {
        "before": estimate(before, half),
        "after": estimate(after, half),
        "difference": estimate(after - before, half),
    }


def metrics(worse: bool) -> dict[str, Any]:
    made: dict[str, Any] = {"before": {}, "after": {}, "difference": {}}
    pairs: dict[str, tuple[float, float]] = {
        "bits_per_byte": (0.593, 0.561),
        "fim_bits_per_byte": (0.896, 0.693),
        **FRACTIONS,
    }
    for key, (before, after) in pairs.items():
        if worse:
            after = max(0.0, before + (before - after) * 0.6)
        bits = "bits" in key
        made["before"][key] = estimate(before, 0.031 if bits else min(0.12, before))
        made["after"][key] = estimate(after, 0.029 if bits else min(0.12, max(after, 0.0)))
        made["difference"][key] = estimate(after - before, 0.0052 if key == "bits_per_byte" else 0.071)
    return made


def curve(steps: int, random: Random) -> list[dict[str, Any]]:
    def near(value: float, noise: float) -> float:
        return value + random.gauss(0, noise)

    made = []
    for step in range(1, steps + 1):
        decay = math.exp(-step / 25)
        losses = {
            "plain": near(1.05 + 0.25 * decay, 0.1),
            "context": near(1.15 + 0.2 * decay, 0.1),
            "middle": near(0.9 + 0.7 * decay, 0.18),
            "end": max(0.01, near(0.12 + 2.4 * decay, 0.05)),
            "repository": near(1.1 + 0.1 * decay, 0.12) if step % 3 else None,
        }
        made.append(
            {
                "step": step,
                "tokens": step * 2048,
                "loss": near(1.1 + 0.35 * decay, 0.09),
                "learning_rate": 2e-4 * min(1.0, step / 5, (steps - step + 1) / (0.2 * steps)),
                "gradient_norm": abs(near(0.9 + decay, 0.15)),
                "losses": losses,
                "targets": 2000,
                "counts": {"plain": 900, "context": 600, "middle": 90, "end": 10, "repository": 400},
            }
        )
    return made


def samples() -> list[dict[str, Any]]:
    """Holes in real files; the answers are what models do: right, near, running on, empty."""
    made = []
    for index, name in enumerate(MODULES):
        source = Path(__import__(name).__file__).read_text(encoding="utf-8")
        lines = source.splitlines(keepends=True)
        start = next(i for i in range(len(lines) // 2, len(lines)) if lines[i].strip() and i % 3 == 0)
        block = index % 2 == 1
        length = 5 if block else 1
        reference = "".join(lines[start : start + length]).rstrip("\n")
        indent = reference[: len(reference) - len(reference.lstrip())]
        if not block:
            reference = reference[len(indent) :]
        prefix = "".join(lines[:start]) + ("" if block else indent)
        suffix = "\n" + "".join(lines[start + length :])
        run_on = reference[: len(reference) // 2] + "result = None\n" + "".join(lines[start + 1 : start + 9])
        answers = {
            0: (run_on, run_on.split("\n")[0], False, reference, True),
            1: (run_on, run_on[: len(reference)], False, reference.replace("=", "=="), True),
            2: ("", "", True, reference, True),
        }[index % 3]
        before, cut, stopped, after, after_stopped = answers
        made.append(
            {
                "id": f"{name}-{index}",
                "kind": "block" if block else "line",
                "repo": "stdlib",
                "path": f"Lib/{name}.py",
                "language": "Python",
                "prefix": prefix,
                "suffix": suffix,
                "reference": reference,
                "before": {
                    "completion": before,
                    "truncated": cut,
                    "stopped": stopped,
                    "exact": cut == reference,
                },
                "after": {
                    "completion": after,
                    "truncated": after,
                    "stopped": after_stopped,
                    "exact": after == reference,
                },
            }
        )
    return made
