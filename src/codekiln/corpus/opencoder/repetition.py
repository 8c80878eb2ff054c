"""Words of a file and how often runs of them come again.

A word is a run of letters and digits, without case; everything else parts words (so does the underscore). Shares are of
the characters in words; characters in several repeated runs count once.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Numbers = npt.NDArray[np.int64]

_WORD = bytes(byte if byte >= 128 or chr(byte).isalnum() else 32 for byte in bytes(range(256)).lower())
#: Runs whose most frequent one counts, and runs all of whose copies count.
TOP, DUPLICATED = (2, 3, 4), (5, 6, 7, 8, 9, 10)


def repetition(data: bytes) -> dict[str, float | int | None]:
    """Signals of the words of a UTF-8 text; what needs words is None where there are none."""
    words = data.translate(_WORD).split()
    count = len(words)
    found: dict[str, float | int | None] = {
        "oc_words": count,
        "oc_mean_word_length": None,
        "oc_unique_word_fraction": None,
    }
    tops = dict.fromkeys((f"oc_top_{n}gram_fraction" for n in TOP), 0.0)
    copies = dict.fromkeys((f"oc_duplicate_{n}gram_fraction" for n in DUPLICATED), 0.0)
    if not count:
        return {**found, **tops, **copies}
    texts = words if data.isascii() else [word.decode() for word in words]
    lengths = np.fromiter(map(len, texts), np.int64, count)
    total = int(lengths.sum())
    places, grams, _ = _repeated(np.arange(count), pa.array(words, pa.binary()))
    found["oc_mean_word_length"] = round(total / count, 6)
    found["oc_unique_word_fraction"] = round(len(set(words)) / count, 6)
    reach = np.concatenate([[0], np.cumsum(lengths)])
    for n in range(2, DUPLICATED[-1] + 1):
        # A run comes again only where both runs that are one word shorter do.
        pairs = np.flatnonzero(places[1:] == places[:-1] + 1)
        if not len(pairs):
            break
        keys = grams[pairs] * (int(grams.max()) + 1) + grams[pairs + 1]
        places, grams, most = _repeated(places[pairs], pa.array(keys))
        if n in TOP and most > 1:
            first = int(places[np.argmax(grams == 0)])
            tops[f"oc_top_{n}gram_fraction"] = round(int(reach[first + n] - reach[first]) * most / total, 6)
        elif n in DUPLICATED:
            # Each run reaches to its end or to the beginning of the next one, whichever is nearer.
            ends = np.minimum(places + n, np.append(places[1:], count))
            copies[f"oc_duplicate_{n}gram_fraction"] = round(
                int((reach[ends] - reach[places]).sum()) / total, 6
            )
    return {**found, **tops, **copies}


def _repeated(places: Numbers, keys: pa.Array) -> tuple[Numbers, Numbers, int]:
    """The places whose key occurs more than once, with a number for each key, and the highest count of one.

    The key with that count (the first of several) has the number 0.
    """
    codes = keys.dictionary_encode().indices.to_numpy()
    counts = np.bincount(codes)
    often = counts[codes] > 1
    best = int(np.argmax(counts))
    codes = codes[often].astype(np.int64)
    return places[often], np.where(codes == best, 0, codes + 1), int(counts[best])
