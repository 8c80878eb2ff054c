"""Groups of near copies among the files of a corpus, of any size: what hangs together by its bands is compared in one place."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from codekiln.corpus import minhash
from codekiln.corpus.copies import shingles_of_files
from codekiln.corpus.decided import Files, Numbers
from codekiln.corpus.neardup import Bucket, buckets, connected, joined, members_of
from codekiln.shards import Dataset, Executor, Stage, build, regroup
from codekiln.shards.folders import remove_folder
from codekiln.shards.kernel import partition_of
from codekiln.shards.places import Place
from codekiln.shards.store import read_shard

#: Source of one partition in bytes; its shingles take 1.3 times as much. Less than this is compared in the main process.
PARTITION_BYTES = 256 * 1024**2
#: What a file takes beside its source, however small it is.
_FILE_BYTES = 1024

VERSION = 1
#: Files that share a band with another, under the least number of those they hang together with.
_CANDIDATES = pa.schema(
    [
        pa.field("component", pa.string()),
        pa.field("number", pa.int64()),
        pa.field("content", pa.large_string()),
    ],
    metadata={"codekiln.schema": "near_candidates", "codekiln.version": "1"},
)
#: Members of groups of near copies; `group` is the least of their numbers.
_GROUPS = pa.schema(
    [pa.field("group", pa.int64()), pa.field("number", pa.int64())],
    metadata={"codekiln.schema": "near_groups", "codekiln.version": "1"},
)
_FOLDERS = ("near-candidates", "near-partitions", "near-groups")

_Chosen: TypeAlias = tuple[Place, Numbers, Numbers, Numbers]
_Partition: TypeAlias = tuple[Place, list[Bucket]]


def near_copies(
    folder: Path,
    files: Files,
    source: Dataset,
    banded: Dataset,
    threshold: float,
    executor: Executor | None,
) -> list[list[int]]:
    """Groups of near copies (`neardup.near_groups`) among the files that are left, by their numbers.

    What does not fit into the main process is brought together in `folder`, one partition for each
    `PARTITION_BYTES` of source, and compared by the executor.
    """
    found = buckets(*_bands(files, banded))
    wanted = members_of(found)
    size = int(files.sizes[wanted].sum()) + _FILE_BYTES * len(wanted)
    if size <= PARTITION_BYTES:
        return joined(found, dict(shingles_of_files(source, files, wanted)), threshold)
    return _apart(folder, files, source, found, threshold, -(-size // PARTITION_BYTES), executor)


def remove_work(folder: Path) -> None:
    """Remove what `near_copies` has left in a folder."""
    for name in _FOLDERS:
        remove_folder(folder / name)


def _bands(files: Files, banded: Dataset) -> tuple[Numbers, minhash.Hashes]:
    """The files that are left and not too short, with their band hashes."""
    numbers, values = [np.empty(0, np.int64)], [np.empty((0, minhash.BANDS), np.uint64)]
    left = files.left
    for shard, path in enumerate(banded.shard_paths):
        own = files.of_shard(shard)
        rows, bands = minhash.matrix(read_shard(path, ["bands"])["bands"], minhash.BANDS)
        wanted = left[own][rows]
        numbers.append(rows[wanted] + own.start)
        values.append(bands[wanted])
    return np.concatenate(numbers), np.concatenate(values)


def _apart(
    folder: Path,
    files: Files,
    source: Dataset,
    found: list[Bucket],
    threshold: float,
    partitions: int,
    executor: Executor | None,
) -> list[list[int]]:
    wanted, components = connected(found)
    told = {"partitions": partitions, "buckets": _hash(found)}
    stage = partial(Stage, version=VERSION, inputs={"files": source.content_hash})
    places = np.searchsorted(wanted, files.starts)
    tasks = [
        (path, wanted[start:end] - files.starts[shard], wanted[start:end], components[start:end])
        for shard, (path, start, end) in enumerate(zip(source.shard_paths, places, places[1:]))
    ]
    chosen = build(
        folder / _FOLDERS[0], stage("near candidates", config=told), _CANDIDATES, _choose, tasks, executor=executor
    )  # fmt: skip
    together = regroup(
        chosen, folder / _FOLDERS[1], stage("near partitions", config=told), _CANDIDATES, "component",
        partitions=partitions, order="number", executor=executor,
    )  # fmt: skip
    shares: list[list[Bucket]] = [[] for _ in range(partitions)]
    firsts = np.searchsorted(wanted, [members[0] for members in found])
    for members, component in zip(found, components[firsts].tolist()):
        shares[partition_of(str(component), partitions)].append(members)
    told |= {"threshold": threshold}
    groups = build(
        folder / _FOLDERS[2], stage("near copies", config=told), _GROUPS, partial(_compare, threshold),
        list(zip(together.shard_paths, shares, strict=True)), executor=executor,
    )  # fmt: skip
    members_of: dict[int, list[int]] = {}
    for row in groups.rows():
        members_of.setdefault(row["group"], []).append(row["number"])
    return [members for _, members in sorted(members_of.items())]


def _hash(found: list[Bucket]) -> str:
    digest = hashlib.sha256(np.array([len(members) for members in found], np.int64).tobytes())
    for members in found:
        digest.update(members.tobytes())
    return digest.hexdigest()


def _choose(task: _Chosen) -> pa.Table:
    path, rows, numbers, components = task
    content = read_shard(path, ["content"])["content"].take(pa.array(rows))
    names: npt.NDArray[np.str_] = components.astype(str)
    return pa.table({"component": names, "number": numbers, "content": content}, schema=_CANDIDATES)


def _compare(threshold: float, task: _Partition) -> pa.Table:
    path, found = task
    grams = {
        number: minhash.shingles(text.encode())
        for batch in read_shard(path, ["number", "content"]).to_batches()
        for number, text in zip(*(column.to_pylist() for column in batch.columns))
    }
    groups = joined(found, grams, threshold)
    return pa.table(
        {
            "group": [members[0] for members in groups for _ in members],
            "number": [number for members in groups for number in members],
        },
        schema=_GROUPS,
    )
