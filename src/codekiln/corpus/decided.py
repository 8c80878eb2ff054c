"""The files of a corpus while their fate is decided: columns over all of them, half a kilobyte a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from codekiln.shards import Dataset
from codekiln.shards.tables import COMPOSED_KINDS

Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: The order in which licences are preferred among copies.
LICENSE_TYPES = ("permissive", "no_license", "non_permissive")
#: What stands where a file has no time.
NO_TIME = np.iinfo(np.int64).min
TRAIN, HELDOUT = 1, 2
SPLITS = ("", "train", "heldout")

_META = ["id", "repo", "path", "kind", "license_type", "added_at", "size"]


@dataclass
class Files:
    """A file is known by its number: its place in the dataset `files`, counted through all shards.

    Attributes:
        starts: number of each shard's first file, and at the end how many there are; int64.
        ids, paths: large strings. repos, kinds: int32, numbers into `repo_names` and `kind_names`.
        license_rank: int8, number into `LICENSE_TYPES`. added_at: Unix seconds or `NO_TIME`; sizes: bytes; int64.
        reason: int16, number into `reasons`; 0 while nothing drops the file.
        split: int8, number into `SPLITS`.
        near_group: number of the file that its group of copies keeps, or -1; int64.
        details: why, in words, for what is dropped by comparing files.
        repository_group: number into `repo_names` of the repository that a group of near copies keeps, or -1; int32.
    """

    starts: Numbers
    ids: pa.LargeStringArray
    paths: pa.LargeStringArray
    repos: npt.NDArray[np.int32]
    repo_names: list[str]
    kinds: npt.NDArray[np.int32]
    kind_names: list[str]
    license_rank: npt.NDArray[np.int8]
    added_at: Numbers
    sizes: Numbers
    reason: npt.NDArray[np.int16]
    split: npt.NDArray[np.int8]
    near_group: Numbers
    repository_group: npt.NDArray[np.int32]
    reasons: list[str] = field(default_factory=lambda: [""])
    details: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.starts[-1])

    @property
    def left(self) -> Mask:
        """Which files nothing has dropped yet."""
        return self.reason == 0

    @property
    def composed(self) -> Mask:
        """Which rows are commits or conversations."""
        names = np.array([name in COMPOSED_KINDS for name in self.kind_names], bool)
        return names[self.kinds]

    def code(self, reason: str) -> int:
        """The number of a reason."""
        if reason not in self.reasons:
            self.reasons.append(reason)
        return self.reasons.index(reason)

    def drop(self, number: int, reason: str, detail: str) -> None:
        self.reason[number] = self.code(reason)
        self.details[number] = detail

    def counted(self) -> Counter[str]:
        """Files by the reason that dropped them."""
        counts = np.bincount(self.reason, minlength=len(self.reasons)).tolist()
        return Counter({name: count for name, count in zip(self.reasons, counts) if name and count})

    def repo(self, number: int) -> str:
        return self.repo_names[self.repos[number]]

    def path(self, number: int) -> str:
        return str(self.paths[number].as_py())

    def time(self, number: int) -> int | None:
        time = int(self.added_at[number])
        return None if time == NO_TIME else time

    def name(self, number: int) -> str:
        return f"{self.repo(number)}:{self.path(number)}"

    def preference(self, number: int) -> tuple[int, str, str]:
        """The least of a group of copies is kept: permissive licence first, then (repo, path)."""
        return int(self.license_rank[number]), self.repo(number), self.path(number)

    def of_shard(self, shard: int) -> slice:
        """The numbers of a shard's files."""
        return slice(int(self.starts[shard]), int(self.starts[shard + 1]))

    def by_shard(self, numbers: Numbers) -> Iterator[tuple[int, Numbers]]:
        """Rising numbers as (shard, those in it)."""
        ends = np.searchsorted(numbers, self.starts)
        for shard in np.flatnonzero(np.diff(ends)).tolist():
            yield shard, numbers[ends[shard] : ends[shard + 1]]


def load(source: Dataset) -> Files:
    """The columns of the dataset `files`, with nothing decided."""
    ids, paths, licenses, added, sizes = [], [], [], [], []
    repos, kinds = _Names(), _Names()
    rows = [0]
    for table in source.tables(_META):
        rows.append(len(table))
        ids += table["id"].cast(pa.large_string()).chunks
        paths += table["path"].cast(pa.large_string()).chunks
        repos.add(table["repo"])
        kinds.add(table["kind"])
        rank = pc.index_in(table["license_type"], value_set=pa.array(LICENSE_TYPES))
        licenses.append(_numpy(pc.fill_null(rank, len(LICENSE_TYPES) - 1)).astype(np.int8))
        added.append(_numpy(pc.fill_null(table["added_at"], NO_TIME)))
        sizes.append(_numpy(table["size"]))
    count = sum(rows)
    return Files(
        starts=np.cumsum(rows),
        ids=pa.concat_arrays([pa.array([], pa.large_string()), *ids]),
        paths=pa.concat_arrays([pa.array([], pa.large_string()), *paths]),
        repos=repos.numbers(),
        repo_names=list(repos.known),
        kinds=kinds.numbers(),
        kind_names=list(kinds.known),
        license_rank=np.concatenate([np.empty(0, np.int8), *licenses]),
        added_at=np.concatenate([np.empty(0, np.int64), *added]),
        sizes=np.concatenate([np.empty(0, np.int64), *sizes]),
        reason=np.zeros(count, np.int16),
        split=np.zeros(count, np.int8),
        near_group=np.full(count, -1, np.int64),
        repository_group=np.full(count, -1, np.int32),
    )


class _Names:
    """A column of few names as numbers."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        self._parts: list[npt.NDArray[np.int32]] = []

    def add(self, column: pa.ChunkedArray) -> None:
        for chunk in column.chunks:
            encoded = chunk.dictionary_encode()
            own = [self.known.setdefault(name, len(self.known)) for name in encoded.dictionary.to_pylist()]
            self._parts.append(np.array(own, np.int32)[encoded.indices.to_numpy(zero_copy_only=False)])

    def numbers(self) -> npt.NDArray[np.int32]:
        return np.concatenate([np.empty(0, np.int32), *self._parts])


def _numpy(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    return np.asarray(column.to_numpy())
