"""The dataset `decisions`: the fate of every file, with its reason in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from codekiln.corpus.decided import SPLITS, Files
from codekiln.corpus.rule import Rule
from codekiln.shards import Dataset
from codekiln.shards.places import Place
from codekiln.shards.store import read_shard
from codekiln.shards.tables import DECISIONS

LICENSE, CONTAMINATED, SHOWS_HELDOUT = "license", "contaminated", "shows_heldout"
#: What a measure failed on, or killed its worker.
UNMEASURED = "unmeasured"


@dataclass(frozen=True)
class Verdicts:
    """What was decided of the files of one shard, and where it stands why.

    Attributes:
        files, signals, contamination: shards, row for row.
        reason: numbers into `reasons`; split: numbers into `SPLITS`.
        details: by row, for what was dropped by comparing files.
    """

    files: Place
    signals: Place
    contamination: Place | None
    rules: tuple[Rule, ...]
    reasons: tuple[str, ...]
    reason: npt.NDArray[np.int16]
    split: npt.NDArray[np.int8]
    near_groups: pa.Array
    repository_groups: pa.Array
    details: dict[int, str]


def verdicts(
    files: Files, source: Dataset, measured: Dataset, met: Dataset | None, rules: tuple[Rule, ...]
) -> Iterator[Verdicts]:
    """The verdicts of each shard, in order."""
    details = sorted(files.details.items())
    at = 0
    others = list(met.shard_paths) if met else [None] * len(source.shard_paths)
    for shard, places in enumerate(zip(source.shard_paths, measured.shard_paths, others, strict=True)):
        own = files.of_shard(shard)
        end = at
        while end < len(details) and details[end][0] < own.stop:
            end += 1
        groups, copies = files.near_group[own], files.repository_group[own]
        names = pa.array(files.repo_names, pa.string())
        yield Verdicts(
            *places,
            rules=rules,
            reasons=tuple(files.reasons),
            reason=files.reason[own],
            split=files.split[own],
            near_groups=_names(files.ids, groups),
            repository_groups=_names(names, copies),
            details={number - own.start: text for number, text in details[at:end]},
        )
        at = end


def _names(names: pa.Array, numbers: npt.NDArray[Any]) -> pa.Array:
    """The names of some numbers, "" for -1."""
    return pc.fill_null(names.take(pa.array(numbers, mask=numbers < 0)), "")


def decision_table(shard: Verdicts) -> tuple[pa.Table, dict[str, int]]:
    """Rows of `DECISIONS` for the files of a shard, and how many were dropped for what, trained on and held out."""
    table = read_shard(
        shard.files, ["id", "repo", "path", "language", "size", "licenses", "license_evidence"]
    )
    reasons = np.array(shard.reasons, object)[shard.reason]
    splits = np.array(SPLITS, object)[shard.split]
    columns = {
        **{name: table[name] for name in ("id", "repo", "path", "language", "size")},
        "kept": shard.reason == 0,
        "reason": reasons,
        "detail": _details(shard, table),
        "near_group": shard.near_groups,
        "split": splits,
        "repository_group": shard.repository_groups,
    }
    counters: dict[str, int] = {}
    for reason, split in zip(reasons.tolist(), splits.tolist()):
        name = f"dropped_{reason}" if reason else split or "unsplit"
        counters[name] = counters.get(name, 0) + 1
    return pa.table(columns).select(DECISIONS.names).cast(DECISIONS), counters


def _details(shard: Verdicts, table: pa.Table) -> list[str]:
    found = [""] * len(shard.reason)
    rules = {rule.name: rule for rule in shard.rules}
    by_rule: dict[Rule, list[int]] = {}
    licensed, met = [], []
    for row in np.flatnonzero(shard.reason).tolist():
        reason = shard.reasons[shard.reason[row]]
        if row in shard.details:
            found[row] = shard.details[row]
        elif reason == LICENSE:
            licensed.append(row)
        elif reason == CONTAMINATED:
            met.append(row)
        else:
            by_rule.setdefault(rules[reason], []).append(row)
    for row, names, evidence in _rows(table, licensed, ["licenses", "license_evidence"]):
        found[row] = f"{', '.join(names) or 'no licence'}: not permissive ({evidence})"
    if by_rule:
        measured = read_shard(shard.signals, sorted({rule.signal for rule in by_rule}))
        for rule, rows in by_rule.items():
            for row, value in _rows(measured, rows, [rule.signal]):
                found[row] = rule.detail(value)
    if met and shard.contamination:
        columns = ["line", "gram", "benchmark", "item", "items", "grams"]
        for row, line, gram, benchmark, item, items, grams in _rows(
            read_shard(shard.contamination, columns), met, columns
        ):
            more = f" and {items - 1} more" if items > 1 else ""
            found[row] = f"line {line} shares {gram!r} with {benchmark} {item}{more}; {grams} such runs"
    return found


def _rows(table: pa.Table, rows: list[int], columns: list[str]) -> Iterator[tuple[Any, ...]]:
    some = table.select(columns).take(pa.array(rows, pa.int64()))
    return zip(rows, *(some[name].to_pylist() for name in columns))
