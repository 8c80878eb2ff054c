"""MinHash signatures of source files, in numpy: word 5-grams, 248 permutations, 31 bands of 8 rows.

The Stack v2 (report section 2.1: 5-grams, Jaccard 0.7) has 25 bands of 10 rows and takes a shared band for the proof;
here pairs are verified, so that more bands of fewer rows miss less and cost only comparisons. Words are runs of ASCII
letters, digits and underscores, and of bytes beyond ASCII; letters count without case; everything else separates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from codekiln.shards.tables import COMPOSED_KINDS

Hashes = npt.NDArray[np.uint64]
Signature = npt.NDArray[np.uint32]

NGRAM = 5
BANDS, ROWS = 31, 8

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
    metadata={"codekiln.schema": "band_hashes", "codekiln.version": "3"},
)


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


# Byte -> itself inside a word (upper case as lower case), 0 for separators.
_WORD = bytes(
    byte if byte >= 128 or chr(byte).isalnum() or byte == 95 else 0 for byte in bytes(range(256)).lower()
)

_BASE = 0x9E3779B97F4A7C15 | 5
_INVERSE = pow(_BASE, -1, 2**64)
_GRAM = _random(NGRAM, 2) | np.uint64(1)
_SCALE = (_random(BANDS * ROWS, 3) >> np.uint64(32)).astype(np.uint32) | np.uint32(1)
_SHIFT = (_random(BANDS * ROWS, 4) >> np.uint64(32)).astype(np.uint32)
_ROW = _random(ROWS, 5) | np.uint64(1)
#: Shingles and permutations at a time: their product stays in the processor's cache (measured: 75 MB/s of
#: source, against 20 with one permutation at a time).
_BLOCK, _GROUP = 4096, 31


_TABLES: list[Hashes] = [np.empty(0, np.uint64)] * 2


def _powers(count: int) -> tuple[Hashes, Hashes]:
    """Powers of the base and of its inverse, at least `count` of each."""
    if len(_TABLES[0]) < count:
        size = max(count, 2 * len(_TABLES[0]), 1 << 16)
        for number, base in enumerate((_BASE, _INVERSE)):
            _TABLES[number] = np.cumprod(np.full(size, base, dtype=np.uint64), dtype=np.uint64)
    return _TABLES[0], _TABLES[1]


def shingles(data: bytes) -> Hashes:
    """The set of word 5-grams of a file as sorted, distinct 64-bit hashes; empty below five words."""
    raw = np.frombuffer(data.translate(_WORD), np.uint8)
    inside = raw != 0
    starts = np.flatnonzero(inside & ~np.concatenate([[False], inside[:-1]])) if len(raw) else raw
    if len(starts) < NGRAM:
        return np.empty(0, np.uint64)
    # Polynomial hash of each word: bytes times powers of a base by their position in the file, summed, then divided
    # (times the inverse modulo 2⁶⁴) by the power at the word's start. Separators are zeros and add nothing.
    up, down = _powers(len(raw))
    words = np.add.reduceat(raw.astype(np.uint64) * up[: len(raw)], starts) * down[starts]
    words = _mix(words)
    count = len(words) - NGRAM + 1
    grams = words[:count] * _GRAM[0]
    for position in range(1, NGRAM):
        grams += words[position : position + count] * _GRAM[position]
    grams = np.sort(_mix(grams))
    return grams[np.concatenate([[True], grams[1:] != grams[:-1]])]


def signature(grams: Hashes) -> Signature:
    """MinHash values, shape (248,), uint32: the least of (scale · x + shift) mod 2³² under each permutation.

    x is the upper half of a shingle's hash, so that equal sets have equal signatures.
    """
    keys = (grams >> np.uint64(32)).astype(np.uint32)
    least = np.full(BANDS * ROWS, np.iinfo(np.uint32).max, dtype=np.uint32)
    room = np.empty(_GROUP * min(_BLOCK, len(keys)), dtype=np.uint32)
    for start in range(0, len(keys), _BLOCK):
        block = keys[start : start + _BLOCK]
        values = room[: _GROUP * len(block)].reshape(_GROUP, len(block))
        for first in range(0, BANDS * ROWS, _GROUP):
            some = slice(first, first + _GROUP)
            np.multiply(block, _SCALE[some, None], out=values)
            values += _SHIFT[some, None]
            np.minimum(least[some], values.min(axis=1), out=least[some])
    return least


def bands_of(values: Signature) -> Hashes:
    """The band hashes of MinHash values; empty for none."""
    rows = values.astype(np.uint64).reshape(-1, ROWS)
    return _mix((_mix(rows + np.uint64(1)) * _ROW).sum(axis=1, dtype=np.uint64))


def least_of(values: Signature) -> npt.NDArray[np.uint16]:
    """The sample of MinHash values that is stored, shape (64,), uint16; empty for none."""
    return values[:LEAST].astype(np.uint16)


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


def band_table(files: pa.Table) -> pa.Table:
    """`BAND_HASHES` of a table of `files`, row for row; band hashes are `salted` by the rows' kinds."""
    signatures: list[Signature] = []
    for batch in files.select(["content"]).to_batches():
        for content in batch.column(0).to_pylist():
            grams = shingles(content.encode())
            signatures.append(signature(grams) if len(grams) else np.empty(0, np.uint32))
    return table_of(files["id"], files["kind"], signatures)


def table_of(ids: pa.ChunkedArray, kinds: pa.ChunkedArray, signatures: Sequence[Signature]) -> pa.Table:
    """`BAND_HASHES` of the rows with these ids, kinds and MinHash values."""
    bands = [
        salted(bands_of(values), kind) for values, kind in zip(signatures, kinds.to_pylist(), strict=True)
    ]
    least = [least_of(values) for values in signatures]
    columns = {
        "id": ids,
        "bands": pa.array(bands, pa.list_(pa.uint64())),
        "least": pa.array(least, pa.list_(pa.uint16())),
    }
    return pa.table(columns, schema=BAND_HASHES)


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
