"""Rules over whole tables of signals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from codekiln.corpus.rule import Rule

Mask = npt.NDArray[np.bool_]


def first_firing(
    rules: Sequence[Rule], languages: pa.ChunkedArray, measured: pa.Table
) -> npt.NDArray[np.int16]:
    """For each row the number of the first rule that drops it, or -1.

    Args:
        languages: of the rows of `measured`, which are signals.
    """
    found = np.full(len(measured), -1, np.int16)
    for number, rule in enumerate(rules):
        with np.errstate(invalid="ignore"):  # a signal that was not measured is NaN, and no rule fires on it
            fires = (found < 0) & applies(rule, languages) & rule.compare(values(rule, measured))
        if rule.spares and fires.any():
            rows = np.flatnonzero(fires)
            contents = measured["content_hash"].take(pa.array(rows)).to_pylist()
            fires[rows] = [not rule.spared(content) for content in contents]
        found[fires] = number
    return found


def applies(rule: Rule, languages: pa.ChunkedArray) -> Mask:
    """Whether a rule is for each of some languages."""
    encoded = languages.combine_chunks().dictionary_encode()
    known = np.array([rule.applies(name) for name in encoded.dictionary.to_pylist()], bool)
    return np.asarray(known[encoded.indices.to_numpy()], bool)


def values(rule: Rule, measured: pa.Table) -> npt.NDArray[np.float64]:
    """The signal of a rule, NaN where it was not measured."""
    column = pc.cast(measured[rule.signal], pa.float64()).combine_chunks()
    return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)
