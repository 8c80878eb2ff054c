"""MinHash signatures of source files, in numpy: word 5-grams, 272 values, 34 bands of 8 rows.

The Stack v2 (report section 2.1: 5-grams, Jaccard 0.7) has 25 bands of 10 rows and takes a shared band for the proof;
here pairs are verified, so that more bands of fewer rows miss less and cost only comparisons. Words are runs of ASCII
letters, digits and underscores, and of bytes beyond ASCII; letters count without case; everything else separates.

A value is the least hash of one of 272 parts of the space of hashes, so that a 5-gram costs one look instead of 272
permutations (one-permutation hashing, Li, Owen and Zhang 2012). A part in which a file has none takes the value of
another part, in an order fixed for each part, so that two files still agree in a value with probability J (optimal
densification, Shrivastava 2017).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from codekiln.corpus.decontamination.words import words_of
from codekiln.shards.tables import COMPOSED_KINDS

Hashes = npt.NDArray[np.uint64]
Signature = npt.NDArray[np.uint32]

NGRAM = 5
BANDS, ROWS = 34, 8
PARTS = BANDS * ROWS
#: The value of a part without a 5-gram: above all others, so that the least of two signatures is that of the union.
EMPTY = np.uint32(2**32 - 1)

#: So many MinHash values of a file are stored by their lower 16 bits: two files of Jaccard similarity J share each with
#: probability J, two that share nothing with 1/65,536.
LEAST = 64

#: Band hashes of one file (uint64, one a band), and `least`, a sample of its MinHash values; both empty for a file of
#: fewer than five words.
BAND_HASHES = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("bands", pa.list_(pa.uint64())),
        pa.field("least", pa.list_(pa.uint16())),
    ],
    metadata={"codekiln.schema": "band_hashes", "codekiln.version": "4"},
)

#: Bytes and files that are hashed together, so that small files do not pay for each call of numpy.
_TOGETHER, _FILES = 1 << 19, 1 << 10


def _mix(values: Hashes) -> Hashes:
    """A bijective scramble of 64 bits (the finaliser of SplitMix64, Steele et al. 2014), in place."""
    values ^= values >> np.uint64(30)
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return values


def _random(count: int, seed: int) -> Hashes:
    """Fixed pseudo-random words: a file's signature never depends on the run."""
    return _mix(np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed))


_GRAM = _random(NGRAM, 2) | np.uint64(1)
_ROW = _random(ROWS, 5) | np.uint64(1)
#: For each part all parts in the order in which it takes their values.
_DONORS = _random(PARTS * PARTS, 3).reshape(PARTS, PARTS).argsort(axis=1, kind="stable")


def _grams(texts: Sequence[bytes]) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """Hashes of the word 5-grams of texts, in order, and whose each is; of a text with fewer words none."""
    words = words_of(texts)
    count = max(len(words.hashes) - NGRAM + 1, 0)
    grams = words.hashes[:count] * _GRAM[0]
    for position in range(1, NGRAM):
        grams += words.hashes[position : position + count] * _GRAM[position]
    grams = _mix(grams)
    if len(texts) == 1:
        return grams, np.zeros(count, np.int64)
    firsts = np.searchsorted(words.starts, words.offsets)
    owners = np.repeat(np.arange(len(texts)), np.diff(firsts))
    whole = owners[:count] == owners[len(owners) - count :]
    return grams[whole], owners[:count][whole]


def shingles(data: bytes) -> Hashes:
    """The set of word 5-grams of a file as sorted, distinct 64-bit hashes; empty below five words."""
    grams = np.sort(_grams([data])[0])
    return grams[np.concatenate([[True], grams[1:] != grams[:-1]])] if len(grams) else grams


def signatures(texts: Sequence[bytes]) -> Signature:
    """MinHash values of texts, shape (texts, 272), uint32: the least hash in each part, `EMPTY` where it has none.

    A hash's upper half tells its part, its lower half is the value, so that equal sets have equal signatures.
    """
    return _least(*_grams(texts), len(texts))


def signature(grams: Hashes) -> Signature:
    """MinHash values of a set of 5-grams, shape (272,), as `signatures` gives them."""
    values: Signature = _least(grams, np.zeros(len(grams), np.int64), 1)[0]
    return values


def _least(grams: Hashes, owners: npt.NDArray[np.int64], count: int) -> Signature:
    values = np.full(count * PARTS, EMPTY, np.uint32)
    parts = ((grams >> np.uint64(32)) * np.uint64(PARTS) >> np.uint64(32)).astype(np.int64)
    np.minimum.at(values, owners * PARTS + parts, grams.astype(np.uint32))
    return values.reshape(count, PARTS)


def filled(values: Signature) -> Signature:
    """Signatures, shape (texts, 272), with a value of another part in each empty one; rows without any stay as they are."""
    some = np.flatnonzero((values != EMPTY).any(axis=1))
    values = values.copy()
    known = values[some]
    rows, parts = np.nonzero(known == EMPTY)
    for turn in range(PARTS):
        if not len(rows):
            break
        taken = known[rows, _DONORS[parts, turn]]
        there = taken != EMPTY
        values[some[rows[there]], parts[there]] = taken[there]
        rows, parts = rows[~there], parts[~there]
    return values


def bands_of(values: Signature) -> list[Hashes]:
    """The band hashes of signatures, shape (texts, 272): one a band, uint64 (34,); empty for a text without 5-grams."""
    none = np.empty(0, np.uint64)
    some = (values != EMPTY).any(axis=1).tolist()
    return [row if any_ else none for row, any_ in zip(_band_hashes(filled(values)), some)]


def _band_hashes(values: Signature) -> Hashes:
    """Band hashes, shape (texts, 34), uint64, of signatures without an empty part."""
    rows = values.astype(np.uint64).reshape(-1, BANDS, ROWS)
    return _mix((_mix(rows + np.uint64(1)) * _ROW).sum(axis=2, dtype=np.uint64))


def least_of(values: Signature) -> npt.NDArray[np.uint16]:
    """The sample of MinHash values that is stored, shape (texts, 64), uint16, of signatures without an empty part."""
    return values[:, :LEAST].astype(np.uint16)


def jaccard(first: Hashes, second: Hashes) -> float:
    """|A ∩ B| ÷ |A ∪ B| of two sorted, distinct arrays; 0 when both are empty."""
    common = len(np.intersect1d(first, second, assume_unique=True))
    union = len(first) + len(second) - common
    return common / union if union else 0.0


_SALTS = dict(zip(sorted(COMPOSED_KINDS), _random(len(COMPOSED_KINDS), 6)))


def salted(own: Hashes, kind: str) -> Hashes:
    """Band hashes of a row of a kind.

    A commit shows a file and is no copy of it: rows of another kind than a file meet only their own kind.
    """
    return own ^ _SALTS[kind] if kind in _SALTS else own


def together(texts: Iterable[str]) -> Iterator[list[bytes]]:
    """Texts as bytes, in runs that are worth one call of `signatures` each."""
    waiting: list[bytes] = []
    size = 0
    for text in texts:
        waiting.append(text.encode())
        size += len(waiting[-1])
        if size >= _TOGETHER or len(waiting) >= _FILES:
            yield waiting
            waiting, size = [], 0
    if waiting:
        yield waiting


def band_table(files: pa.Table) -> pa.Table:
    """`BAND_HASHES` of a table of `files`, row for row; band hashes are `salted` by the rows' kinds."""
    texts = (text for chunk in files.column("content").chunks for text in chunk.to_pylist())
    values = [np.empty((0, PARTS), np.uint32), *(signatures(some) for some in together(texts))]
    return table_of(files["id"], files["kind"], np.concatenate(values))


def table_of(ids: pa.ChunkedArray, kinds: pa.ChunkedArray, values: Signature) -> pa.Table:
    """`BAND_HASHES` of the rows with these ids, kinds and signatures, shape (rows, 272)."""
    some = (values != EMPTY).any(axis=1)
    whole = filled(values[some])
    hashes = _band_hashes(whole)
    for kind in _SALTS:
        own = pc.equal(kinds, kind).to_numpy()[some]
        hashes[own] = salted(hashes[own], kind)
    columns = {"id": ids, "bands": _lists(hashes, some), "least": _lists(least_of(whole), some)}
    return pa.table(columns, schema=BAND_HASHES)


def _lists(rows: npt.NDArray[Any], some: npt.NDArray[np.bool_]) -> pa.ListArray:
    """A column with a list of numbers in `some` of its rows and an empty one in the others."""
    ends = np.cumsum(np.concatenate([[0], some * rows.shape[1]]), dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(rows.ravel()))


def matrix(column: pa.ChunkedArray, width: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """A column of lists of `width` numbers, or none: the rows that have them, and the numbers, shape (rows, width)."""
    rows, start = [np.empty(0, np.int64)], 0
    for chunk in column.chunks:
        rows.append(np.flatnonzero(np.diff(chunk.offsets.to_numpy())) + start)
        start += len(chunk)
    found: npt.NDArray[Any] = pc.list_flatten(column).to_numpy()
    return np.concatenate(rows), found.reshape(-1, width)


def counted(banded: pa.Table) -> dict[str, int]:
    """What a table of band hashes counts: nothing."""
    return {}
