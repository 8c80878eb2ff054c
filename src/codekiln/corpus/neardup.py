"""Near-duplicates: candidates from bands, verified by their true Jaccard similarity, joined into groups."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from itertools import chain, islice

import numpy as np
import numpy.typing as npt

from codekiln.corpus.minhash import Hashes, jaccard
from codekiln.progress import Progress

#: Earlier files of its bucket that a file is compared with at most; smaller buckets are compared pair by pair.
COMPARISONS = 32
#: Work on more files than this shows its progress.
MANY_FILES = 20_000
#: The chance that a training file at the threshold is not compared with the held-out file that it is near.
MISSED = 1e-6
#: Candidates that are looked at together, to bound the memory.
_HITS = 1 << 18
#: Held-out files that are looked at for one other file, and those of them that it is compared with at most.
_LOOKED_AT, _NEAREST = 1024, 32
#: Pairs found not near that are remembered, 100 bytes each; forgotten ones are compared again.
_REMEMBERED = 1 << 20

Numbers = npt.NDArray[np.int64]
#: Four bytes a member, whose order as bytes is that of the numbers: copies of one text can fill every band.
_STORED = np.dtype(">i4")
Bucket = npt.NDArray[np.int32]


class Groups:
    """Union-find over 0 … n-1; the root of a group is its smallest member."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def root(self, item: int) -> int:
        while self._parent[item] != item:
            self._parent[item] = self._parent[self._parent[item]]
            item = self._parent[item]
        return item

    def join(self, first: int, second: int) -> None:
        first, second = self.root(first), self.root(second)
        self._parent[max(first, second)] = min(first, second)

    def members(self) -> dict[int, list[int]]:
        """Groups of two and more by root, members in order."""
        groups: dict[int, list[int]] = {}
        for item in range(len(self._parent)):
            groups.setdefault(self.root(item), []).append(item)
        return {root: members for root, members in groups.items() if len(members) > 1}


def buckets(numbers: Numbers, bands: Hashes) -> list[Bucket]:
    """Sets of files that share a band's hash, their numbers rising; each set once, in the order of its numbers.

    Args:
        numbers: rising numbers of the files, shape (files,), int64, below 2 ** 31.
        bands: their band hashes, shape (files, bands), uint64.
    """
    found: set[bytes] = set()
    short = numbers.astype(_STORED)
    for column in bands.T:
        order = np.argsort(column, kind="stable")
        ordered = column[order]
        same = np.concatenate([[False], ordered[1:] == ordered[:-1], [False]])
        # A run begins before its first equal neighbour and ends with its last one.
        edges = np.flatnonzero(same[1:] != same[:-1])
        for start, end in zip(edges[::2].tolist(), edges[1::2].tolist()):
            found.add(short[order[start : end + 1]].tobytes())
    return [np.frombuffer(members, _STORED) for members in sorted(found)]


def near_groups(
    bands: Sequence[Hashes],
    shingles_of: Callable[[list[int]], Mapping[int, Hashes]],
    threshold: float,
    similarity: Callable[[Hashes, Hashes], float] | None = None,
) -> list[list[int]]:
    """Groups of near-duplicates: connected components of the pairs with Jaccard >= threshold.

    Args:
        bands: band hashes of each file, uint64; empty for files too short to compare.
        shingles_of: the shingle sets of some files, by number; called once, with all candidates.
        threshold: least Jaccard similarity of a pair.
        similarity: of two sets, at most the smaller one's size over the larger one's; the true Jaccard similarity
            when left out.

    Returns:
        Groups of two and more file numbers, each sorted. Pairs that share no band are not compared: at 34
        bands of 8 rows a pair of similarity 0.7 is met with probability 0.86, of 0.75 with 0.97, of 0.8 with
        0.997. In a bucket of more than `COMPARISONS` + 1 files a file is compared with one file of each
        group first, then with their other files, `COMPARISONS` in all, so that time grows with the number of
        files and not with its square; `near_pairs` finds what that misses across the split.
    """
    filled = np.array([number for number, row in enumerate(bands) if len(row)], dtype=np.int64)
    table = np.stack([bands[number] for number in filled]) if len(filled) else np.empty((0, 0), np.uint64)
    candidates = buckets(filled, table)
    grams = shingles_of(members_of(candidates).tolist())
    return joined(candidates, grams, threshold, similarity)


def members_of(candidates: Sequence[Bucket]) -> Numbers:
    """The files of some buckets, each once, rising."""
    found = np.concatenate([np.empty(0, _STORED), *candidates]).astype(np.int32)
    found.sort()
    kept: Numbers = found[np.diff(found, prepend=-1) != 0].astype(np.int64)
    return kept


def joined(
    candidates: Sequence[Bucket],
    grams: Mapping[int, Hashes],
    threshold: float,
    similarity: Callable[[Hashes, Hashes], float] | None = None,
) -> list[list[int]]:
    """The groups of `near_groups` from its buckets and the shingle sets of the files in them.

    Buckets that share no file, directly or by way of others, can be joined apart.
    """
    alike = similarity or jaccard
    numbers = members_of(candidates)
    named = numbers.tolist()
    groups = Groups(len(named))
    compared: set[int] = set()

    def near(first: int, second: int) -> bool:
        pair = min(first, second) * len(named) + max(first, second)
        if pair in compared:  # and found not near, or they would be in one group
            return False
        if len(compared) >= _REMEMBERED:
            compared.clear()
        compared.add(pair)
        one, two = grams[named[first]], grams[named[second]]
        small, large = sorted((len(one), len(two)))
        return small >= threshold * large and alike(one, two) >= threshold

    total = sum(map(len, candidates))
    with Progress("near copies", total, "comparisons") if total > MANY_FILES else nullcontext() as progress:
        for members in candidates:
            _join_bucket(np.searchsorted(numbers, members).tolist(), groups, near)
            if progress:
                progress.update(len(members))
    return [[named[at] for at in members] for _, members in sorted(groups.members().items())]


def connected(candidates: Sequence[Bucket]) -> tuple[Numbers, Numbers]:
    """The files of some buckets, rising, and for each the least of the files that it is connected with by them."""
    numbers = members_of(candidates)
    groups = Groups(len(numbers))
    for members in candidates:
        first, *others = np.searchsorted(numbers, members).tolist()
        for other in others:
            groups.join(first, other)
    roots = np.fromiter(map(groups.root, range(len(numbers))), np.int64, len(numbers))
    return numbers, numbers[roots]


def _join_bucket(members: list[int], groups: Groups, near: Callable[[int, int], bool]) -> None:
    """Join the groups of near files of one bucket, each file against the groups of those before it."""
    seen: dict[int, list[int]] = {}  # root -> files of this bucket, the group that last grew at the end
    for new in members:
        own = seen.pop(groups.root(new), [])
        others = list(islice(reversed(seen.items()), COMPARISONS))
        firsts = ((root, olds[0]) for root, olds in others)
        rest = ((root, old) for root, olds in others for old in islice(olds, 1, COMPARISONS))
        open_pairs = (pair for pair in chain(firsts, rest) if pair[0] in seen)
        for root, old in islice(open_pairs, COMPARISONS):
            if near(old, new):
                groups.join(old, new)
                olds = seen.pop(root)
                own, less = (own, olds) if len(own) > len(olds) else (olds, own)
                own.extend(less)
        own.append(new)
        seen[groups.root(new)] = own


def near_pairs(
    held: npt.NDArray[np.uint16], others: npt.NDArray[np.uint16], threshold: float
) -> npt.NDArray[np.int64]:
    """Pairs (row of `others`, row of `held`), shape (pairs, 2), in rising order, that may be near.

    Of two files that share `least` values of 64 each shares one of any 65 - `least` with the other: the rarest are
    looked up, at most `_LOOKED_AT` held-out files for each other one, so that time does not grow with the square of
    files that all begin with the same words. Of more than `_NEAREST` that may be near the nearest ones count.

    Args:
        held, others: stored MinHash values (`minhash.least_of`), shape (files, 64), uint16.
        threshold: least Jaccard similarity; a pair at it is missed with a probability below `MISSED`, one above
            it more rarely, unless `_LOOKED_AT` held-out files share the rarest values of its training file.
    """
    values = held.shape[1]
    least = matches(threshold, values)
    places = np.arange(values, dtype=np.uint32) << np.uint32(16)
    keys = (held + places).ravel()
    owners = np.repeat(np.arange(len(held)), values)
    order = np.argsort(keys, kind="stable")
    keys, owners = keys[order], owners[order]
    asked = others + places
    first, last = (np.searchsorted(keys, asked, side) for side in ("left", "right"))
    hits = last - first
    rarest = np.argsort(hits, axis=1, kind="stable")[:, : values - least + 1]
    first, hits = (np.take_along_axis(all_, rarest, 1) for all_ in (first, hits))
    hits = np.minimum(hits, np.maximum(_LOOKED_AT - (np.cumsum(hits, axis=1) - hits), 0))
    found = [np.empty((0, 2), np.int64)]
    begin, ends = 0, np.cumsum(hits.sum(axis=1))
    while begin < len(others):
        before = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, before + _HITS, "right")))
        some = hits[begin:end].ravel()
        # Where each hit stands among the keys: the first of its run, and on from there.
        within = np.arange(some.sum()) - np.repeat(np.cumsum(some) - some, some)
        met = owners[np.repeat(first[begin:end].ravel(), some) + within]
        rows = np.repeat(np.arange(begin, end), hits[begin:end].sum(axis=1))
        rows, met = np.divmod(np.unique(rows * len(held) + met), len(held))
        counts = np.count_nonzero(others[rows] == held[met], axis=1)
        near = counts >= least
        found.append(_nearest(rows[near], met[near], counts[near]))
        begin = end
    return np.concatenate(found)


def _nearest(rows: Numbers, met: Numbers, counts: Numbers) -> Numbers:
    """The `_NEAREST` pairs of each row with the highest counts, shape (pairs, 2), rising; `rows` are rising."""
    order = np.lexsort((met, -counts, rows))
    ranks = np.arange(len(rows)) - np.searchsorted(rows, rows)
    kept = np.sort(order[ranks < _NEAREST])
    return np.stack([rows[kept], met[kept]], axis=1)


def matches(threshold: float, values: int) -> int:
    """How many of so many MinHash values a pair at the threshold shares but for a probability of `MISSED`."""
    chance, total = 0.0, 0
    while total < values:
        chance += math.comb(values, total) * threshold**total * (1 - threshold) ** (values - total)
        if chance > MISSED:
            break
        total += 1
    return total
