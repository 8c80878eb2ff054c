"""Decontamination: documents that share a run of ten words with test data (report section 2.7).

`contaminated` looks texts up in an index of benchmark texts and tells, for each, which runs of words it shares, on
which line, and whose they are. A hash that is met is compared with the true words before it counts, so that a
collision never drops a file. What a word is: `codekiln.corpus.words`; which runs count: `GramRules`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from codekiln.corpus.decontamination.index import GRAM, SHORTEST, Index, Owner, filter_bits, open_index
from codekiln.corpus.decontamination.words import (
    Hashes,
    Places,
    Words,
    encode_text,
    run_hashes,
    runs_at,
    words_of,
)

#: Texts are looked through together, about so many characters at a time.
_TOGETHER = 1 << 20
_WORDS = 1 << 15

#: What a file shares with test data: `grams` counts its different shared runs; the other columns tell the one that
#: the fewest items have (the first of equals), null where nothing is shared.
CONTAMINATION = pa.schema(
    [
        ("id", pa.string()), ("grams", pa.int64()), ("line", pa.int64()), ("gram", pa.large_string()),
        ("benchmark", pa.string()), ("item", pa.string()), ("field", pa.string()), ("items", pa.int64()),
        ("benchmarks", pa.list_(pa.string())),
    ],
    metadata={"codekiln.schema": "contamination", "codekiln.version": "1"},
)  # fmt: skip


class Match(NamedTuple):
    """A run of words that a text shares with test data.

    `line` is the 1-based line on which it first begins; `gram` the words, joined by blanks; `owners` every benchmark
    that has it, by name.
    """

    line: int
    gram: str
    owners: tuple[Owner, ...]

    @property
    def items(self) -> int:
        """Items that have the run, all benchmarks together."""
        return sum(owner.items for owner in self.owners)


def contaminated(texts: Iterable[str], index: Index) -> list[list[Match]]:
    """For each text, its different shared runs of words in order of place; an empty list where it shares none.

    The rule of the report drops a text whose list is not empty. Linear in the size of the texts.
    """
    found: list[list[Match]] = []
    waiting: list[bytes] = []
    size = 0
    for text in texts:
        waiting.append(encode_text(text))
        size += len(waiting[-1])
        if size >= _TOGETHER:
            found += _look_up(waiting, index)
            waiting, size = [], 0
    return found + _look_up(waiting, index)


def contamination_table(files: pa.Table, index_path: str) -> tuple[pa.Table, dict[str, int]]:
    """A row of CONTAMINATION for each row of `files` (columns `id`, `content`), and what was counted."""
    index = open_index(index_path)
    rows: list[dict[str, Any]] = []
    for batch in files.select(["id", "content"]).to_batches():
        ids, texts = (column.to_pylist() for column in batch.columns)
        rows += [
            {"id": name, "grams": len(matches), **_told(matches)}
            for name, matches in zip(ids, contaminated(texts, index))
        ]
    table = pa.Table.from_pylist(rows, schema=CONTAMINATION)
    return table, contamination_counted(table)


def contamination_counted(met: pa.Table) -> dict[str, int]:
    """What a table of CONTAMINATION counts: its files, and those that share a run."""
    return {"files": met.num_rows, "contaminated": int(pc.sum(pc.greater(met["grams"], 0)).as_py() or 0)}


def clearest(matches: Sequence[Match]) -> Match:
    """The match that the fewest items have: the best evidence; the first of equals."""
    return min(matches, key=lambda match: (match.items, match.line, match.gram))


def detail(matches: Sequence[Match]) -> str:
    """One line that tells why a file is contaminated."""
    match = clearest(matches)
    owner = match.owners[0]
    others = match.items - 1
    more = f" and {others} more items" if others else ""
    return (
        f"line {match.line} shares {len(match.gram.split())} words with {owner.benchmark} {owner.item}"
        f" ({owner.field}){more}: {match.gram}"
    )


def _told(matches: Sequence[Match]) -> dict[str, Any]:
    if not matches:
        return {}
    match = clearest(matches)
    owner = match.owners[0]
    benchmarks = sorted({owner.benchmark for match in matches for owner in match.owners})
    return {
        "line": match.line, "gram": match.gram, "benchmark": owner.benchmark, "item": owner.item,
        "field": owner.field, "items": match.items, "benchmarks": benchmarks,
    }  # fmt: skip


def _look_up(parts: list[bytes], index: Index) -> list[list[Match]]:
    found: list[list[Match]] = [[] for _ in parts]
    if not parts or not len(index.hashes):
        return found
    words = words_of(parts)
    places, lengths, hashes = _candidates(words, index)
    order = np.argsort(places, kind="stable")
    places, lengths, hashes = places[order], lengths[order], hashes[order]
    texts = np.searchsorted(words.offsets, words.starts[places], "right") - 1
    lasts = words.starts[places + lengths - 1]
    rows = np.searchsorted(index.hashes, hashes)
    told: set[tuple[int, int]] = set()
    line = at = text = -1
    for number in np.flatnonzero(lasts < words.offsets[texts + 1]).tolist():
        owner, row, place = int(texts[number]), int(rows[number]), int(places[number])
        if (owner, row) in told:
            continue
        shared = words.phrase(place, int(lengths[number]))
        if shared != index.words(row):
            continue
        told.add((owner, row))
        if owner != text:
            text, line, at = owner, 1, int(words.offsets[owner]) - 1
        here = int(words.starts[place]) - 1
        line += words.data.count(b"\n", at, here)
        at = here
        found[owner].append(Match(line, shared.decode(), index.owners(row)))
    return found


def _candidates(words: Words, index: Index) -> tuple[Places, Places, Hashes]:
    """Runs whose hash is in the index: first word, number of words, hash. They may cross the end of a text."""
    places, hashes = _known(run_hashes(words.hashes, GRAM), index.bits, index)
    found = [(places, np.full(len(places), GRAM), hashes)]
    if len(index.short_lengths):
        starts = _filtered(run_hashes(words.hashes, SHORTEST), index.start_bits)
        for length in index.short_lengths.tolist():
            starts = starts[: np.searchsorted(starts, len(words.hashes) - length, "right")]
            maybe, hashes = _known(runs_at(words.hashes, starts, length), index.short_bits, index)
            found.append((starts[maybe], np.full(len(maybe), length), hashes))
    columns = list(zip(*found))
    return np.concatenate(columns[0]), np.concatenate(columns[1]), np.concatenate(columns[2])


def _known(hashes: Hashes, bits: npt.NDArray[np.uint8], index: Index) -> tuple[Places, Hashes]:
    """Which of some hashes are in the index: their places and values."""
    maybe = _filtered(hashes, bits)
    values = hashes[maybe]
    rows = np.minimum(np.searchsorted(index.hashes, values), len(index.hashes) - 1)
    there = index.hashes[rows] == values
    return maybe[there], values[there]


def _filtered(hashes: Hashes, bits: npt.NDArray[np.uint8]) -> Places:
    blocks = [filter_bits(bits, hashes[at : at + _WORDS]) + at for at in range(0, len(hashes), _WORDS)]
    return np.concatenate([np.empty(0, np.int64), *blocks])
