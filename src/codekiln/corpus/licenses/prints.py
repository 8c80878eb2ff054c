"""The table of known licence texts and notices, as `tools/license_prints.py` makes it from the SPDX list."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

_FILE = Path(__file__).with_name("prints.npz")


@dataclass(frozen=True)
class Prints:
    """Known texts by word triples.

    `triples` is sorted and unique. Entry e (`names[e]` an SPDX id, `notices[e]` whether it is a short notice) has
    `sizes[e]` required triples; `places[bounds[e]:bounds[e + 1]]` are the places of its triples in `triples`, and
    `optional` says for each whether a text may lack it. `holders` lists, for each triple in turn, the entries that
    have it, as 2 * e + (1 where optional): those of triple t are `holders[first[t]:first[t + 1]]`. `ids` maps
    lower-cased SPDX ids to themselves.
    """

    triples: npt.NDArray[np.uint32]
    names: tuple[str, ...]
    notices: tuple[bool, ...]
    sizes: npt.NDArray[np.int64]
    places: npt.NDArray[np.int32]
    bounds: npt.NDArray[np.int64]
    optional: npt.NDArray[np.bool_]
    holders: npt.NDArray[np.uint16]
    first: npt.NDArray[np.int64]
    ids: dict[str, str]


@cache
def prints() -> Prints:
    """The table, read once a process."""
    with np.load(_FILE, allow_pickle=False) as stored:
        triples = np.cumsum(stored["triples"], dtype=np.uint32)
        counts = stored["counts"].astype(np.int64)
        flat = stored["entries"]
        labels = json.loads(stored["labels"].tobytes())
    entries = flat >> 1
    optional = (flat & 1).astype(bool)
    places = np.repeat(np.arange(len(triples), dtype=np.int32), counts)
    order = np.argsort(entries, kind="stable")
    number = len(labels["entries"])
    bounds = np.searchsorted(entries[order], np.arange(number + 1))
    sizes = np.bincount(entries[~optional], minlength=number)
    return Prints(
        triples=triples,
        names=tuple(name for name, _ in labels["entries"]),
        notices=tuple(kind == "notice" for _, kind in labels["entries"]),
        sizes=sizes,
        places=places[order],
        bounds=bounds,
        optional=optional[order],
        holders=flat,
        first=np.concatenate([[0], np.cumsum(counts)]),
        ids={name.lower(): name for name in labels["ids"]},
    )
