"""From a table of benchmark texts to the index of their runs of words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from codekiln.corpus.config import GramRules
from codekiln.corpus.decontamination.groups import Flags, group
from codekiln.corpus.decontamination.index import GRAM, SHORTEST, Index, make_bits
from codekiln.corpus.decontamination.notices import without_notices
from codekiln.corpus.decontamination.words import (
    Hashes,
    Places,
    Words,
    canonical,
    encode_text,
    run_hashes,
    runs_at,
    words_of,
)

__all__ = ["GramRules", "build_index"]

_BLOCK = 1 << 18


@dataclass
class _Texts:
    """Different texts and who has them: rows (text, benchmark, item, field) by number, items in order."""

    texts: dict[bytes, int] = field(default_factory=dict)
    rows: list[tuple[int, int, int, int]] = field(default_factory=list)
    benchmarks: list[str] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)


def build_index(texts: pa.Table, rules: GramRules | None = None) -> Index:
    """The index of a table of texts (schema TEXTS, in any order of rows).

    Every text of GRAM words and more gives its runs of GRAM words. An item without such a text is short: its texts of
    SHORTEST words and more are looked for whole.
    """
    rules = rules or GramRules()
    known = _collect(texts, rules)
    words = words_of(known.texts)
    ends = np.searchsorted(words.starts, words.offsets[1:])
    firsts = np.concatenate([[0], ends[:-1]]) if len(ends) else ends
    sizes = ends - firsts
    rows = np.array(known.rows, np.int64).reshape(-1, 4)

    longest = np.zeros(len(known.items), np.int64)
    np.maximum.at(longest, rows[:, 2], sizes[rows[:, 0]])
    short = np.zeros(len(sizes), np.bool_)
    short[rows[longest[rows[:, 2]] < GRAM, 0]] = True
    short &= (sizes >= SHORTEST) & (sizes < GRAM)

    # Every place where a run begins: (first word, number of words, text).
    counts = np.maximum(sizes - GRAM + 1, 0)
    owners = np.repeat(np.arange(len(sizes)), counts)
    places = np.arange(counts.sum()) + np.repeat(firsts - np.cumsum(counts) + counts, counts)
    hashes = run_hashes(words.hashes, GRAM)[places] if len(places) else np.empty(0, np.uint64)
    lettered = _lettered(words)
    keep, dropped = _allowed(words, lettered, places, hashes, rules)
    places, owners, hashes = places[keep], owners[keep], hashes[keep]
    whole = np.flatnonzero(short)
    if rules.letters and len(whole):
        spelt = [
            len(set(words.hashes[at:end][lettered[at:end]].tolist()))
            for at, end in zip(firsts[whole], ends[whole])
        ]
        whole = whole[np.array(spelt) >= min(rules.letters, SHORTEST)]
    lengths = np.concatenate([np.full(len(places), GRAM), sizes[whole]])
    short_hashes = [
        runs_at(words.hashes, firsts[whole[sizes[whole] == size]], int(size)) for size in range(GRAM)
    ]
    order = np.argsort(sizes[whole], kind="stable")
    hashes = np.concatenate([hashes, *short_hashes])
    lengths[len(places) :] = lengths[len(places) :][order]
    places = np.concatenate([places, firsts[whole][order]])
    owners = np.concatenate([owners, whole[order]])
    return _index(words, known, rows, places, lengths, owners, hashes, rules, dropped)


def _collect(texts: pa.Table, rules: GramRules) -> _Texts:
    known = _Texts()
    columns = [texts.column(name).to_pylist() for name in ("benchmark", "item", "field", "text")]
    known.benchmarks = sorted(set(columns[0]))
    known.fields = sorted(set(columns[2]))
    pairs = sorted(set(zip(columns[0], columns[1])))
    known.items = [item for _, item in pairs]
    benchmarks = {name: number for number, name in enumerate(known.benchmarks)}
    fields = {name: number for number, name in enumerate(known.fields)}
    items = {pair: number for number, pair in enumerate(pairs)}
    rows = []
    # Benchmarks that derive from one another repeat their texts.
    spelt = {
        text: canonical(without_notices(text) if rules.notices else text)
        for text in dict.fromkeys(columns[3])
    }
    for benchmark, item, label, text in zip(*columns):
        if words := spelt[text]:
            rows.append((benchmarks[benchmark], items[benchmark, item], fields[label], words))
    for benchmark, item, label, words in sorted(set(rows)):
        number = known.texts.setdefault(words, len(known.texts))
        known.rows.append((number, benchmark, item, label))
    return known


def _lettered(words: Words) -> Flags:
    """Which words hold a letter."""
    letters = np.ones(256, np.bool_)
    letters[[0, *b"0123456789_"]] = False
    held = letters[np.frombuffer(words.text, np.uint8)]
    return np.asarray(np.maximum.reduceat(held, words.starts) if len(words.starts) else np.empty(0, np.bool_))


def _allowed(
    words: Words, lettered: Flags, places: Places, hashes: Hashes, rules: GramRules
) -> tuple[Flags, dict[str, int]]:
    """Which runs the rules let through, and how many places each rule took out."""
    keep = np.ones(len(places), np.bool_)
    dropped = {"few_letters": 0, "ignored": 0}
    if not len(places):
        return keep, dropped
    if rules.letters:
        for at in range(0, len(places), _BLOCK):
            keep[at : at + _BLOCK] = (
                _different(words.hashes, lettered, places[at : at + _BLOCK]) >= rules.letters
            )
        dropped["few_letters"] = int(len(keep) - keep.sum())
    if rules.ignore:
        ignored = np.isin(hashes, ignored_hashes(rules.ignore)) & keep
        keep &= ~ignored
        dropped["ignored"] = int(ignored.sum())
    return keep, dropped


def _different(hashes: Hashes, lettered: Flags, places: Places) -> npt.NDArray[np.int64]:
    """How many different words with a letter each run of GRAM words has."""
    columns = [np.where(lettered[places + word], hashes[places + word], np.uint64(0)) for word in range(GRAM)]
    table = np.sort(np.stack(columns), axis=0)
    new = (table[1:] != table[:-1]).sum(axis=0) + (table[0] != 0)
    return np.asarray(new, np.int64)


def ignored_hashes(texts: Iterable[str]) -> Hashes:
    """Hashes of the runs of GRAM words of some texts, sorted."""
    listed = [run_hashes(words_of([encode_text(text)]).hashes, GRAM) for text in texts]
    return np.unique(np.concatenate([np.empty(0, np.uint64), *listed]))


def _index(
    words: Words, known: _Texts, rows: Places, places: Places, lengths: Places, owners: Places, hashes: Hashes,
    rules: GramRules, dropped: dict[str, int],
) -> Index:  # fmt: skip
    groups = group(hashes, owners, lengths == GRAM, rows, len(known.texts), rules.most_items)
    places, lengths = places[groups.first], lengths[groups.first]
    long = lengths == GRAM
    names = {
        "benchmarks": known.benchmarks,
        "items": known.items,
        "fields": known.fields,
        "counts": {
            "items": len(known.items),
            "items_without_runs": len(known.items) - len(groups.covered),
            "runs": int(long.sum()),
            "short_texts": int(len(long) - long.sum()),
            "places_left_out_few_letters": dropped["few_letters"],
            "places_left_out_ignored": dropped["ignored"],
            "runs_left_out_shared_by_many": groups.left_out,
        },
    }
    return Index(
        hashes=groups.hashes,
        begins=words.starts[places] - 1,
        sizes=(words.ends[places + lengths - 1] - words.starts[places]).astype(np.int32),
        owned=np.concatenate([[0], np.cumsum(groups.owned)]).astype(np.int64),
        benchmarks=groups.benchmarks,
        items=groups.items,
        labels=groups.labels,
        counts=groups.counts,
        bits=make_bits(groups.hashes[long]),
        short_bits=make_bits(groups.hashes[~long]),
        start_bits=make_bits(runs_at(words.hashes, places[~long], SHORTEST)),
        short_lengths=np.unique(lengths[~long]).astype(np.int32),
        blob=np.frombuffer(words.data, np.uint8),
        names=names,
    )
