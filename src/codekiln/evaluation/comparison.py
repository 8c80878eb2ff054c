"""Before against after: figures with intervals, side-by-side samples, and a verdict in words."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from codekiln.errors import RunError
from codekiln.evaluation.bootstrap import Estimate, paired
from codekiln.evaluation.chance import rank
from codekiln.evaluation.config import ProofConfig
from codekiln.evaluation.measurement import PROBES, TEXT
from codekiln.evaluation.metrics import (
    KIND_METRICS,
    PROBE_METRICS,
    TEXT_METRICS,
    Measure,
    exact_match,
    sums,
)
from codekiln.shards import Dataset

Rows = list[dict[str, Any]]
Sides = tuple[Rows, Rows]
Figures = dict[str, dict[str, Estimate]]
_SIDES = ("before", "after", "difference")
_LANGUAGE_PROBE_METRICS = {
    name: PROBE_METRICS[name]
    for name in ("fim_bits_per_byte", "fim_line_exact_match_truncated", "fim_stop_rate")
}


def compare(before: Path, after: Path, config: ProofConfig, seed: int) -> dict[str, Any]:
    """Compare two folders that `run_proof` wrote for the same held-out files, configuration and seed.

    Returns:
        `before`, `after`, `difference`: metric name -> {value, low, high}, 95 % intervals, None where nothing was
        measured; `counts`: what was measured; `by_kind` ("line", "block") and `by_language`: name -> {count or
        metric: {before, after, difference}}.

    Raises:
        RunError: the two sides measured different windows or probes.
    """
    texts = _both(before / TEXT, after / TEXT, ("id", "window", "line", "bytes", "tokens"))
    probes = _both(before / PROBES, after / PROBES, ("id", "reference", "prefix", "suffix"))

    def figures(sides: Sides, metrics: dict[str, Measure], file: str) -> Figures:
        return {
            name: paired(
                *(sums(side, file, measure) for side in sides), resamples=config.resamples, seed=seed
            )
            for name, measure in metrics.items()
        }

    both = {**figures(texts, TEXT_METRICS, "id"), **figures(probes, PROBE_METRICS, "file")}
    result: dict[str, Any] = {side: {name: both[name][side] for name in both} for side in _SIDES}
    result["counts"] = _counts(texts[0], probes[0])
    result["by_kind"] = {}
    for kind in sorted({row["kind"] for row in probes[0]}):
        members = _where(probes, "kind", kind)
        result["by_kind"][kind] = {
            "probes": len(members[0]),
            **figures(members, KIND_METRICS, "file"),
        }
    result["by_language"] = {}
    for language in sorted({row["language"] for row in (*texts[0], *probes[0])}):
        its_texts, its_probes = _where(texts, "language", language), _where(probes, "language", language)
        result["by_language"][language] = {
            **_counts(its_texts[0], its_probes[0]),
            **figures(its_texts, TEXT_METRICS, "id"),
            **figures(its_probes, _LANGUAGE_PROBE_METRICS, "file"),
        }
    return result


def _where(sides: Sides, column: str, value: str) -> Sides:
    first, second = ([row for row in side if row[column] == value] for side in sides)
    return first, second


def samples(before: Path, after: Path, n: int, seed: int) -> list[dict[str, Any]]:
    """`n` probes with both answers, chosen by a hash of their ids and never by how they turned out."""
    first, second = _both(before / PROBES, after / PROBES, ("id", "reference", "prefix", "suffix"))
    answers = {row["id"]: row for row in second}
    chosen = sorted(first, key=lambda row: (rank(seed, "sample", row["id"]), row["id"]))[:n]
    shared = ("id", "kind", "repo", "path", "language", "prefix", "suffix", "reference")
    return [
        {**{name: row[name] for name in shared}, "before": _answer(row), "after": _answer(answers[row["id"]])}
        for row in chosen
    ]


def _answer(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "completion": row["completion"],
        "truncated": row["truncated"],
        "stopped": row["stopped"],
        "exact": exact_match(row["truncated"], row["reference"]),
    }


def _both(before: Path, after: Path, same: tuple[str, ...]) -> Sides:
    """The rows of both sides, sorted alike, after checking that they measured the same things."""
    sides = []
    for path in (before, after):
        dataset = Dataset.open(path)
        rows = list(dataset.rows()) if dataset.manifest.shards else []
        sides.append(sorted(rows, key=lambda row: (row["id"], row.get("window", 0))))
    first, second = ([tuple(row[name] for name in same) for row in side] for side in sides)
    if first != second:
        raise RunError(
            f"{before} and {after} measured different held-out text; delete both folders and run again"
        )
    return sides[0], sides[1]


def _counts(texts: Iterable[dict[str, Any]], probes: Iterable[dict[str, Any]]) -> dict[str, int]:
    texts, probes = list(texts), list(probes)
    return {
        "text_files": len({row["id"] for row in texts}),
        "text_windows": len(texts),
        "text_tokens": sum(row["tokens"] for row in texts),
        "text_bytes": sum(row["bytes"] for row in texts),
        "probe_files": len({row["file"] for row in probes}),
        "line_probes": sum(row["kind"] == "line" for row in probes),
        "block_probes": sum(row["kind"] == "block" for row in probes),
    }
