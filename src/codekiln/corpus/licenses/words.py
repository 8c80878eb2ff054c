"""Text as hashed word triples with places: what licence texts are compared by.

Letters are lowered; all that is no ASCII letter or digit parts words; words of one letter are left out (bullets,
comment marks, possessives). So line breaks, quotes, comment signs and Markdown do not matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: A text is compared up to this many bytes.
MAX_BYTES = 512 * 1024

_WIDTH = 32  # letters of a word that count with their place; longer words are rare and repeat the last place

_FOLD = bytes(
    code + 32 if 65 <= code <= 90 else code if 97 <= code <= 122 or 48 <= code <= 57 else 32
    for code in range(256)
)


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finaliser of SplitMix64: one well-spread 64-bit value for each input."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


_LETTERS = _mixed(np.arange(1, _WIDTH * 256 + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
_PLACES = tuple(np.uint64(factor) for factor in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))


@dataclass(frozen=True)
class Words:
    """Hashes of the words, where each begins and ends in the bytes, hashes of the triples (two fewer than words)."""

    hashes: npt.NDArray[np.uint64]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    triples: npt.NDArray[np.uint32]


def words_of(data: bytes) -> Words:
    """The words of at most `MAX_BYTES` of UTF-8 (or any ASCII-compatible) text; linear in time and memory."""
    folded = np.frombuffer(data[:MAX_BYTES].translate(_FOLD), dtype=np.uint8)
    inside = np.zeros(len(folded) + 2, dtype=np.int8)
    inside[1:-1] = folded != 32
    steps = np.diff(inside)
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    kept = ends - starts > 1
    starts, ends = starts[kept], ends[kept]
    hashes = _hashes(folded, starts, ends - starts)
    return Words(hashes, starts, ends, triples_of(hashes))


def _hashes(
    folded: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint64]:
    if not len(starts):
        return np.zeros(0, dtype=np.uint64)
    firsts = np.cumsum(lengths) - lengths
    within = np.arange(int(lengths.sum())) - np.repeat(firsts, lengths)
    letters = folded[np.repeat(starts, lengths) + within]
    codes = np.minimum(within, _WIDTH - 1) * 256 + letters
    return _mixed(np.add.reduceat(_LETTERS[codes], firsts))


def triples_of(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint32]:
    """32-bit hashes of each three neighbouring words."""
    if len(hashes) < 3:
        return np.zeros(0, dtype=np.uint32)
    joined = hashes[:-2] * _PLACES[0] + hashes[1:-1] * _PLACES[1] + hashes[2:] * _PLACES[2]
    return (_mixed(joined) >> np.uint64(32)).astype(np.uint32)
