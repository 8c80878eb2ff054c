"""Paired bootstrap over files: percentile intervals of a ratio before, after, and of their difference.

Files are the resampled units, because probes of one file are alike (Efron and Tibshirani 1993, chapters 8 and 13).
Numerator and denominator of a ratio are resampled together, and one set of resamples serves before and after.
"""

from __future__ import annotations

import numpy as np

from codekiln.evaluation.chance import generator
from codekiln.evaluation.metrics import Sums

#: `value` with the bounds of its 95 % interval; None where nothing was measured.
Estimate = dict[str, float | None]

_PERCENTILES = (2.5, 97.5)
_CHUNK = 1000


def paired(before: Sums, after: Sums, *, resamples: int, seed: int) -> dict[str, Estimate]:
    """Estimates of the ratio `before`, `after`, and of the `difference` after - before.

    Args:
        before, after: sums by file, of the same files.

    Resamples are drawn from a hash of the seed and the files, so that metrics over the same files share them. With one file every resample is that file, so low = high = value. Without any, all three are None.
    """
    if before.keys() != after.keys():
        raise ValueError("before and after measure different files")
    files = sorted(file for file in before if before[file][1] > 0 and after[file][1] > 0)
    if not files:
        return {
            part: {"value": None, "low": None, "high": None} for part in ("before", "after", "difference")
        }
    columns = [
        np.array([side[file][column] for file in files]) for side in (before, after) for column in (0, 1)
    ]
    first, second = columns[0].sum() / columns[1].sum(), columns[2].sum() / columns[3].sum()
    random = generator(seed, "bootstrap", *files)
    draws: list[tuple[np.ndarray, np.ndarray]] = []
    for start in range(0, resamples, _CHUNK):
        size = min(_CHUNK, resamples - start)
        weights = random.multinomial(len(files), np.full(len(files), 1 / len(files)), size=size).astype(float)
        # Vector by vector: the same numbers then go through the same sums, and equal sides differ by exactly 0.
        totals = [weights @ column for column in columns]
        draws.append((totals[0] / totals[1], totals[2] / totals[3]))
    befores = np.concatenate([pair[0] for pair in draws])
    afters = np.concatenate([pair[1] for pair in draws])
    return {
        "before": _estimate(first, befores),
        "after": _estimate(second, afters),
        "difference": _estimate(second - first, afters - befores),
    }


def _estimate(value: float, draws: np.ndarray) -> Estimate:
    low, high = np.percentile(draws, _PERCENTILES)
    return {"value": float(value), "low": float(low), "high": float(high)}
