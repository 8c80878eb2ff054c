"""Equal runs of words brought together, with the rows of the benchmark table that own them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from codekiln.corpus.decontamination.words import Hashes, Places

Flags = npt.NDArray[np.bool_]
_Numbers = npt.NDArray[np.int32]
#: The work is done in so many ranges of hashes, one after the other, which bounds its memory.
_RANGES = 16


@dataclass(frozen=True)
class Groups:
    """Different runs by hash. `first`: where the first of each stands in the input. `owned`: owners of each run;
    `benchmarks`, `items`, `labels`, `counts` are theirs, one row an owner (its first item, and how many it has).
    `left_out`: runs that too many items share; `covered`: items that own a run.
    """

    hashes: Hashes
    first: Places
    owned: Places
    benchmarks: _Numbers
    items: _Numbers
    labels: _Numbers
    counts: _Numbers
    left_out: int
    covered: Places


def group(
    hashes: Hashes, texts: Places, may_leave_out: Flags, rows: Places, count: int, most_items: int | None
) -> Groups:
    """Group runs by hash.

    Args:
        hashes, texts: hash and text of each run.
        may_leave_out: runs that `most_items` applies to.
        rows: (text, benchmark, item, field) of each owner of a text, sorted by the last three.
        count: number of texts.
        most_items: leave out runs that more items of one benchmark own.
    """
    by_text = np.argsort(rows[:, 0], kind="stable")
    begins = np.searchsorted(rows[by_text, 0], np.arange(count + 1))
    parts = []
    for number in range(_RANGES):
        some = np.flatnonzero(hashes >> np.uint64(60) == np.uint64(number))
        parts.append(_group(some, hashes, texts, may_leave_out, rows, by_text, begins, most_items))
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("hashes", "first", "owned", "benchmarks", "items", "labels", "counts", "covered")
    }
    columns["covered"] = np.unique(columns["covered"])
    return Groups(**columns, left_out=sum(part.left_out for part in parts))


def _group(
    some: Places, hashes: Hashes, texts: Places, may_leave_out: Flags, rows: Places, by_text: Places,
    begins: Places, most_items: int | None,
) -> Groups:  # fmt: skip
    some = some[np.argsort(hashes[some], kind="stable")]
    new = _changes(hashes[some])
    first = some[new]
    run_of, row_of = _owning_rows(np.cumsum(new) - 1, texts[some], by_text, begins)
    benchmark, item, label = (rows[row_of, column].astype(np.int32) for column in (1, 2, 3))
    other_run = _changes(run_of)
    heads = np.flatnonzero(_changes(benchmark) | other_run)
    items = (_changes(item) | other_run).astype(np.int32)
    counts = np.add.reduceat(items, heads) if len(heads) else items
    kept = np.ones(len(first), np.bool_)
    if most_items is not None:
        kept[run_of[heads[counts > most_items]]] = False
        kept |= ~may_leave_out[first]
    stays = kept[run_of[heads]]
    owned = np.bincount(run_of[heads], minlength=len(first))[kept]
    left_out = len(kept) - int(kept.sum())
    covered = np.unique(item[kept[run_of]])
    heads, counts = heads[stays], counts[stays].astype(np.int32)
    first = first[kept]
    return Groups(
        hashes[first], first, owned, benchmark[heads], item[heads], label[heads], counts, left_out, covered
    )


def _owning_rows(runs: Places, texts: Places, by_text: Places, begins: Places) -> tuple[Places, Places]:
    """Every (run, row) of the (run, text) given, once each and in order: a text belongs to one row or more."""
    have = begins[texts + 1] - begins[texts]
    within = np.arange(have.sum()) - np.repeat(np.cumsum(have) - have - begins[texts], have)
    pairs = np.repeat(runs, have) * max(len(by_text), 1) + by_text[within]
    pairs.sort()
    pairs = pairs[_changes(pairs)]
    return pairs // max(len(by_text), 1), pairs % max(len(by_text), 1)


def _changes(values: npt.NDArray[Any]) -> Flags:
    """Where a value differs from the one before it; the first always does."""
    flags = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=flags[1:])
    return flags
