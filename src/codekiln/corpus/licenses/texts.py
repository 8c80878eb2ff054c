"""Which known licence texts a text holds, where, and how closely: by the word triples that it shares with them.

A known text is compared with the stretch of the given text in which its triples lie, by the Dice coefficient of
the two (askalono's measure, on triples instead of pairs). The best one takes its stretch; what is left is compared
again, so that a file may hold any number of licences.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from heapq import heapify, heappop, heappush
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from codekiln.corpus.licenses.prints import Prints, prints
from codekiln.corpus.licenses.words import Words, words_of

#: The least Dice coefficient of a stretch and a known text. Texts of different licences of one family reach 0.95,
#: but then the better one wins; below 0.8 lie texts that share their disclaimer.
LEAST = 0.8
#: Notices are short, and people fill them in and reword them more.
LEAST_NOTICE = 0.7
#: … and of a text with fewer than `_SMALL` triples, where a few shared words weigh much.
LEAST_SMALL = 0.88
_SMALL = 60

_SHARE = 0.5  # of its required triples that must occur anywhere before a known text is looked at closely
_ROUNDS = 64  # stretches taken from one text
_WORK = 20_000_000  # words looked at in all comparisons of one text: about two seconds
_GAP = 12  # words without a shared triple that end a run
_RUN = 3  # shared triples that make a run
_FAR = 60  # words between two runs of one stretch
_POWER = 4  # how much closeness counts against the number of shared triples


@dataclass(frozen=True)
class Match:
    """A licence's text (or short notice) in bytes `start:end` of a text, with a Dice coefficient of `closeness`."""

    name: str
    notice: bool
    closeness: float
    start: int
    end: int


@dataclass
class _Stretch:
    """What fits an entry best in triples `first` to `last`; `exact` is False while only a bound is known."""

    score: float
    exact: bool = False
    closeness: float = 0.0
    first: int = 0
    last: int = -1


@dataclass(frozen=True)
class _Run:
    """Neighbouring shared triples: `begin:end` among those of the entry, `first` to `last` in the text."""

    begin: int
    end: int
    first: int
    last: int


_Line = tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.bool_]]


class _Text:
    """One text against the table: the places of its triples in the table, and which are not yet explained."""

    def __init__(self, words: Words, table: Prints) -> None:
        self.table = table
        at = np.searchsorted(table.triples, words.triples)
        at[at == len(table.triples)] = 0
        self.at = np.where(table.triples[at] == words.triples, at, -1)
        self.free = np.ones(len(at), dtype=bool)
        self.hits = np.flatnonzero(self.at >= 0)
        self.hit_places = self.at[self.hits]
        self.ranks = np.full(len(table.triples), -1, dtype=np.int32)
        self.least = _least()
        self.lines: dict[int, _Line] = {}
        self.work = 0

    def bounds(self) -> dict[int, _Stretch]:
        """Entries that share most of their triples with the text, each with the best score it can reach."""
        table = self.table
        seen = np.unique(self.hit_places)
        starts, counts = table.first[seen], table.first[seen + 1] - table.first[seen]
        offsets = np.repeat(starts - (np.cumsum(counts) - counts), counts) + np.arange(int(counts.sum()))
        shared = np.bincount(table.holders[offsets], minlength=2 * len(table.names)).reshape(-1, 2)
        required, optional = shared[:, 0], shared[:, 1]
        total = required + optional
        closeness = 2 * total / np.maximum(table.sizes + total + optional, 1)
        score = total * closeness**_POWER
        chosen = np.flatnonzero((required >= _SHARE * table.sizes) & (closeness >= self.least))
        return {int(entry): _Stretch(float(score[entry])) for entry in chosen}

    def line(self, entry: int) -> _Line:
        """Positions in the text that an entry knows, which of its triples stand there, which of these are optional."""
        if entry not in self.lines:
            table = self.table
            part = slice(int(table.bounds[entry]), int(table.bounds[entry + 1]))
            places = table.places[part]
            self.ranks[places] = np.arange(len(places), dtype=np.int32)
            ranks = self.ranks[self.hit_places]
            self.ranks[places] = -1
            inside = ranks >= 0
            self.lines[entry] = self.hits[inside], ranks[inside], table.optional[part]
            self.work += len(ranks)
        return self.lines[entry]

    def stretch(self, entry: int) -> _Stretch:
        """The stretch of still unexplained text that fits an entry best; its score is 0 when it is no match."""
        positions, ranks, optional = self.line(entry)
        self.work += len(positions)
        left = self.free[positions]
        positions, ranks = positions[left], ranks[left]
        none = _Stretch(0.0, exact=True)
        if not len(positions):
            return none
        breaks = np.flatnonzero(np.diff(positions) > _GAP)
        begins = np.concatenate([[0], breaks + 1])
        ends = np.concatenate([breaks + 1, [len(positions)]])
        counts, spans = ends - begins, positions[ends - 1] - positions[begins] + 1
        kept = (counts >= _RUN) & (counts >= 0.4 * spans)
        runs = [
            _Run(int(begin), int(end), int(positions[begin]), int(positions[end - 1]))
            for begin, end in zip(begins[kept], ends[kept])
        ]
        if not runs:
            return none
        seen, chosen = _grown(runs, ranks, np.zeros(len(optional), dtype=bool))
        total, extra = int(seen.sum()), int((seen & optional).sum())
        unknown = sum(run.last - run.first + 1 - (run.end - run.begin) for run in chosen)
        unknown += sum(after.first - before.last - 1 for before, after in pairwise(chosen))
        size = int(self.table.sizes[entry])
        closeness = 2 * total / (size + total + extra + unknown)
        score = total * closeness**_POWER if closeness >= self.least[entry] else 0.0
        return _Stretch(score, True, closeness, chosen[0].first, chosen[-1].last)

    def take(self, stretch: _Stretch, best: dict[int, _Stretch], bounds: dict[int, float]) -> list[int]:
        """Mark a stretch as explained; returns the entries whose own stretch overlaps it: to be compared again."""
        self.free[stretch.first : stretch.last + 1] = False
        again = [
            entry
            for entry, other in best.items()
            if other.exact and other.first <= stretch.last and stretch.first <= other.last
        ]
        for entry in again:
            best[entry] = _Stretch(best[entry].score or bounds[entry])
        return again


def _grown(
    runs: list[_Run], ranks: npt.NDArray[np.int32], seen: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], list[_Run]]:
    """The longest run with its neighbours, as long as these are near and say what was not yet said."""
    anchor = max(range(len(runs)), key=lambda number: (runs[number].end - runs[number].begin, -number))
    seen[ranks[runs[anchor].begin : runs[anchor].end]] = True
    low = high = anchor
    for step in (1, -1):
        at = anchor + step
        while 0 <= at < len(runs):
            distance = runs[at].first - runs[at - 1].last if step > 0 else runs[at + 1].first - runs[at].last
            here = np.unique(ranks[runs[at].begin : runs[at].end])
            if distance > _FAR or 4 * np.count_nonzero(~seen[here]) < len(here):
                break
            seen[here] = True
            low, high = min(low, at), max(high, at)
            at += step
    return seen, runs[low : high + 1]


@cache
def _least() -> npt.NDArray[np.float64]:
    """The least closeness of a stretch to each entry of the table."""
    table = prints()
    return np.where(np.array(table.notices), LEAST_NOTICE, np.where(table.sizes < _SMALL, LEAST_SMALL, LEAST))


def find_texts(data: bytes) -> list[Match]:
    """The known licence texts and notices in a text (the first `MAX_BYTES` of it), in order."""
    words = words_of(data)
    text = _Text(words, prints())
    if not len(text.hits):
        return []
    best = text.bounds()
    bounds = {entry: stretch.score for entry, stretch in best.items()}
    matches: list[Match] = []
    queue = [(-score, entry) for entry, score in bounds.items()]
    heapify(queue)
    while queue and len(matches) < _ROUNDS and text.work < _WORK:
        score, entry = heappop(queue)
        stretch = best[entry]
        if score != -stretch.score:
            continue  # an older state of this entry
        if not stretch.exact:
            best[entry] = text.stretch(entry)
            if best[entry].score:
                heappush(queue, (-best[entry].score, entry))
            continue
        start, end = int(words.starts[stretch.first]), int(words.ends[stretch.last + 2])
        table = text.table
        matches.append(Match(table.names[entry], table.notices[entry], stretch.closeness, start, end))
        for other in text.take(stretch, best, bounds):
            heappush(queue, (-best[other].score, other))
    return sorted(matches, key=lambda match: match.start)
