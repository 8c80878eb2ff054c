"""The data kernel's verbs: `build` shards from tasks, `map_shards` over a dataset, `regroup` by a key.

A stage is a plain function from a task (or an Arrow table) to an Arrow table. Shards are written in a sibling
`.partial` folder, each recorded as soon as it stands, and the folder is renamed when all are there: a killed
stage goes on where it was. Within `far.storing` they are written at an address instead, and the folder holds the records:
those are written by the main process alone, so that workers need no file system of its. Same input, configuration and seed give byte-identical shards on every executor and
any number of workers, because a shard's name and content depend on its task alone.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from codekiln.errors import RunError
from codekiln.progress import Progress
from codekiln.shards import far, guard, places
from codekiln.shards.attempts import (
    DIED,
    FAILED,
    LEFT_OUT,
    Attempt,
    Result,
    journal_of,
    make_all,
    record_of,
    standing,
)
from codekiln.shards.disk import disk_errors, hash_json, json_bytes, read_json, write_json
from codekiln.shards.executors import Executor, LocalExecutor
from codekiln.shards.folders import (
    CLAIM,
    discard_partial,
    partial_folder,
    remove_leftover,
    replace_folder,
    require_ours,
)
from codekiln.shards.places import Place
from codekiln.shards.store import MANIFEST, Dataset, new_manifest, read_shard, write_shard

#: What a stage function may return: a table, or a table with counters, or with counters and a note (see `build`).
Made: TypeAlias = "pa.Table | tuple[pa.Table, dict[str, int]] | tuple[pa.Table, dict[str, int], Any]"


@dataclass(frozen=True)
class Stage:
    """Identity of a stage's output: its key is a hash of all of this.

    Raise `version` whenever the function's result changes for the same input.
    """

    name: str
    version: int
    config: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    seed: int = 0

    @property
    def key(self) -> str:
        """SHA-256 in hex over name, version, configuration, input hashes and seed."""
        return hash_json([self.name, self.version, self.config, self.inputs, self.seed])


def build(
    out: Path,
    stage: Stage,
    schema: pa.Schema,
    function: Callable[[Any], Made],
    tasks: Sequence[Any],
    *,
    executor: Executor | None = None,
    quiet: bool = False,
    unit: str = "shards",
    sizes: Sequence[int] | None = None,
    noted: Callable[[int, Any], None] | None = None,
) -> Dataset:
    """Make one shard a task and return the finished dataset; what already stands is not made twice.

    Args:
        out: folder of the dataset; replaced when it holds codekiln's output of another key. What stands is not moved,
            wherever its shards are.
        function: task -> table, or (table, counters), or (table, counters, note); picklable when the executor has
            several workers.
        tasks: one element a shard, in shard order.
        executor: who runs the tasks; this process, where left out, and then a task that kills it is not tried apart.
        unit: what the progress line counts.
        sizes: how many units each task holds; one each when left out.
        noted: takes each task's number and note in this process, before its shard counts as made.

    Raises:
        UserError: `out` or its `.partial` holds something that codekiln has not made, or an address refuses.
        RunError: the disk is full, a worker died again and again, or the folder or address cannot be written.
    """
    require_ours(out)
    if holds(out, stage):
        remove_leftover(out)
        return Dataset.open(out)
    work, place = _claim(out, stage, len(tasks))
    if holds(work, stage):
        return _finish(work, out)
    weights = list(sizes) if sizes is not None else [1] * len(tasks)
    make = partial(_make_shard, function, place, schema, executor is not None)
    infos = standing(work, place, len(tasks))
    with Progress(stage.name, sum(weights), unit, start=sum(weights[number] for number in infos)) as progress:
        if quiet:
            progress._every = float("inf")
        made = make_all(make, work, place, tasks, infos, executor or LocalExecutor())
        for number, (info, note) in made:
            if noted:
                noted(number, note)
            write_json(record_of(work, number), info.model_dump())
            infos[number] = info
            progress.update(weights[number])
    manifest = new_manifest(
        schema,
        [infos[number] for number in range(len(tasks))],
        stage=stage.name,
        stage_version=stage.version,
        config=stage.config,
        inputs=stage.inputs,
        seed=stage.seed,
    )
    if not isinstance(place, Path):
        places.write(f"{place}/{MANIFEST}", json_bytes(manifest.model_dump()))
    write_json(work / MANIFEST, manifest.model_dump())
    return _finish(work, out)


def map_shards(
    source: Dataset,
    out: Path,
    stage: Stage,
    schema: pa.Schema,
    function: Callable[[pa.Table], Made],
    *,
    executor: Executor | None = None,
) -> Dataset:
    """Apply a table-to-table function to every shard of a dataset (shard i becomes shard i)."""
    return build(out, stage, schema, partial(_map_one, function), source.shard_paths, executor=executor)


def regroup(
    source: Dataset,
    out: Path,
    stage: Stage,
    schema: pa.Schema,
    key: str,
    *,
    partitions: int,
    order: str = "id",
    executor: Executor | None = None,
) -> Dataset:
    """Bring all rows of one key value into one shard, sorted by (key, order).

    The partition of a row is a hash of its key modulo `partitions`, so it depends on neither the number of
    input shards nor the executor.
    """
    require_ours(out)
    if holds(out, stage):
        remove_leftover(out)
        return Dataset.open(out)
    work, place = _claim(out, stage, partitions, shuffled=len(source.shard_paths))
    records, shuffle = work / "shuffle", places.join(place, "shuffle")
    records.mkdir(exist_ok=True)
    written = {n: records / f"{n:05d}.json" for n in range(len(source.shard_paths))}
    pending = [(n, path) for n, path in enumerate(source.shard_paths) if not written[n].exists()]
    split = partial(_split_one, shuffle, key, partitions)
    for position, filled in (executor or LocalExecutor()).run(split, pending):
        write_json(written[pending[position][0]], filled)
    filled_by: list[list[int]] = [[] for _ in range(partitions)]
    for number, record in written.items():
        for partition in read_json(record):
            filled_by[partition].append(number)
    gather = partial(_gather_one, shuffle, key, order, schema)
    return build(out, stage, schema, gather, list(enumerate(filled_by)), executor=executor)


def holds(folder: Path, stage: Stage) -> bool:
    """Whether a folder holds the finished dataset of a stage: its manifest names all that the key is made of."""
    if not (folder / MANIFEST).exists():
        return False
    made = Dataset.open(folder).manifest
    return Stage(made.stage, made.stage_version, made.config, made.inputs, made.seed).key == stage.key


def _finish(work: Path, out: Path) -> Dataset:
    far.tidy(work)
    for record in [*work.glob("part-*.json"), *work.glob("part-*.doing"), work / LEFT_OUT, work / CLAIM]:
        record.unlink(missing_ok=True)
    shutil.rmtree(work / "shuffle", ignore_errors=True)
    replace_folder(work, out)
    return Dataset.open(out)


def _claim(out: Path, stage: Stage, parts: int, shuffled: int = 0) -> tuple[Path, Place]:
    """Open the work folder of a dataset for a stage, and say where its shards go.

    Leftovers of another key, or with their shards at another place, are thrown away.
    """
    work, mark, home = partial_folder(out), partial_folder(out) / CLAIM, far.home(stage.name, stage.key)
    require_ours(work)
    if holds(work, stage):
        return work, places.address_of(work) or work
    ours = mark.exists() and not (work / MANIFEST).exists() and read_json(mark) == stage.key
    if not ours or places.address_of(work) != home:
        discard_partial(out)
    with disk_errors(work):
        work.mkdir(parents=True, exist_ok=True)
    write_json(mark, stage.key)
    if home and places.address_of(work) is None:
        write_json(work / places.RECORD, {"address": home, "parts": parts, "shuffled": shuffled})
    return work, home or work


def _make_shard(
    function: Callable[[Any], Made], place: Place, schema: pa.Schema, journals: bool, task: Attempt
) -> Result:
    number, value, left_out, alone = task
    with guard.journal(journal_of(place, number) if journals else None, left_out, alone) as failed:
        made = function(value)
    table, counters, note = ((*made, None) if isinstance(made, tuple) else (made, {}, None))[:3]
    counters = counters | {f"{DIED}{item}": 1 for item in left_out}
    counters |= {f"{FAILED}{why}): {item}": 1 for item, why in failed.items()}
    return write_shard(table, places.join(place, f"part-{number:05d}.parquet"), schema, counters), note


def _map_one(function: Callable[[pa.Table], Made], path: Place) -> Made:
    return function(read_shard(path))


def partition_of(value: str, partitions: int) -> int:
    """Partition number of a key value: BLAKE2b modulo the number of partitions."""
    digest = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") % partitions


def _split_one(shuffle: Place, key: str, partitions: int, task: tuple[int, Place]) -> list[int]:
    """Write the rows of one shard by partition, and say which partitions have some."""
    number, path = task
    table = read_shard(path)
    encoded = table.column(key).cast(pa.string()).combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    if encoded.null_count:
        raise RunError(f"regroup by {key!r}: {path} has a row without a value in that column")
    by_value = np.array([partition_of(v, partitions) for v in encoded.dictionary.to_pylist()], dtype=np.int64)
    target = (
        by_value[encoded.indices.to_numpy(zero_copy_only=False)] if len(encoded) else np.empty(0, np.int64)
    )
    filled = [int(partition) for partition in np.unique(target)]
    for partition in filled:
        rows = table.filter(pa.array(target == partition))
        write_shard(rows, _piece(shuffle, number, partition), rows.schema, {})
    return filled


def _piece(shuffle: Place, number: int, partition: int) -> Place:
    return places.join(shuffle, f"{number:05d}-{partition:05d}.parquet")


def _gather_one(
    shuffle: Place, key: str, order: str, schema: pa.Schema, task: tuple[int, list[int]]
) -> pa.Table:
    partition, numbers = task
    parts = [read_shard(_piece(shuffle, number, partition)) for number in numbers]
    if not parts:
        return schema.empty_table()
    table = pa.concat_tables(parts)
    return table.take(pc.sort_indices(table, sort_keys=[(key, "ascending"), (order, "ascending")]))
