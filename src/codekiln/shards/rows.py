"""`map_rows`: as `map_shards` for functions that make a row of a row, with the rows that an earlier output already has.

Rows are taken over, never shards: a shard's borders move when a source is added, its rows do not. What comes out is
the same byte for byte whether a row was made or taken over.

A row whose making raises, or kills its worker twice, is made as if its text were empty; `lost_rows` names it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from codekiln.errors import CodekilnError, one_line
from codekiln.progress import say
from codekiln.shards import guard
from codekiln.shards.attempts import DIED, FAILED
from codekiln.shards.executors import Executor
from codekiln.shards.kernel import Made, Stage, build
from codekiln.shards.places import Place
from codekiln.shards.store import Dataset, read_shard, read_sound
from codekiln.shards.tables import schema_name, schema_version

Places = npt.NDArray[np.int64]
#: Processor time of all rows of a shard together, in seconds: hundreds of times what is usual.
_SHARD_SECONDS = 3600.0


@dataclass(frozen=True)
class Known:
    """Rows of an earlier dataset: its shards (place, rows, SHA-256), and for each new row its number there, or -1."""

    shards: tuple[tuple[Place, int, str], ...]
    rows: Places


def known_rows(earlier: Path, stage: Stage, schema: pa.Schema, found: Places) -> Known | None:
    """The rows of the dataset in `earlier` at the places `found`, when it was made alike.

    Alike is: the same stage, version, configuration and seed, whatever it was made from, and the same columns.
    """
    try:
        dataset = Dataset.open(earlier)
        manifest = dataset.manifest
    except CodekilnError:
        return None
    made = (manifest.stage, manifest.stage_version, manifest.config, manifest.seed)
    columns = (manifest.schema_name, manifest.schema_version)
    alike = made == (stage.name, stage.version, stage.config, stage.seed)
    if not alike or columns != (schema_name(schema), schema_version(schema)):
        return None
    if len(found) and int(found.max()) >= manifest.rows:
        return None
    if lost := lost_rows(dataset):
        ids = dataset.table(["id"])["id"]
        found = np.where(
            np.isin(found, _numbers(pc.is_in(ids, value_set=pa.array(lost, ids.type)))), -1, found
        )
    shards = zip(dataset.shard_paths, manifest.shards)
    return Known(tuple((place, shard.rows, shard.sha256) for place, shard in shards), found)


def map_rows(
    source: Dataset,
    out: Path,
    stage: Stage,
    schema: pa.Schema,
    function: Callable[[pa.Table], Made],
    count: Callable[[pa.Table], dict[str, int]],
    *,
    known: Known | None = None,
    executor: Executor | None = None,
) -> Dataset:
    """Apply a function that makes one row of each row to every shard of a dataset.

    Args:
        function: table -> table of as many rows in the same order; a row depends on its own input row alone.
        count: the counters of a finished shard (those of `function` are of new rows only, and dropped).
        known: rows that need not be made, as `known_rows` found them.
    """
    tasks = [(path, _of_shard(known, start, rows)) for path, start, rows in _spans(source)]
    make = partial(_make_rows, function, count, schema)
    return build(out, stage, schema, make, tasks, executor=executor)


def _spans(source: Dataset) -> list[tuple[Place, int, int]]:
    """(place, number of its first row, rows) of each shard."""
    spans, start = [], 0
    for path, shard in zip(source.shard_paths, source.manifest.shards):
        spans.append((path, start, shard.rows))
        start += shard.rows
    return spans


def _of_shard(known: Known | None, start: int, rows: int) -> Known | None:
    """What is known of one shard's rows, with the earlier shards that hold them alone."""
    if known is None:
        return None
    wanted = known.rows[start : start + rows]
    if not (wanted >= 0).any():
        return None
    ends = np.cumsum([0] + [count for _, count, _ in known.shards])
    used = np.unique(np.searchsorted(ends, wanted[wanted >= 0], "right") - 1).tolist()
    moved = np.full(len(wanted), -1, np.int64)
    place = 0
    for number in used:
        inside = (wanted >= ends[number]) & (wanted < ends[number + 1])
        moved[inside] = wanted[inside] - ends[number] + place
        place += known.shards[number][1]
    return Known(tuple(known.shards[number] for number in used), moved)


def _make_rows(
    function: Callable[[pa.Table], Made],
    count: Callable[[pa.Table], dict[str, int]],
    schema: pa.Schema,
    task: tuple[Place, Known | None],
) -> tuple[pa.Table, dict[str, int]]:
    path, known = task
    earlier = _earlier(known.shards) if known else None
    # A damaged shard of the earlier output is made again.
    if known is None or earlier is None:
        table = _made(function, read_shard(path), schema)
        return table, count(table)
    new = known.rows < 0
    tables = [table.select(schema.names).cast(schema) for table in earlier]
    taken = sum(table.num_rows for table in tables)
    order = known.rows.copy()
    if new.any():
        tables.append(_made(function, read_shard(path).filter(pa.array(new)), schema))
        order[new] = taken + np.arange(int(new.sum()))
    # One piece: how a column is cut in memory shows in the bytes of its file.
    table = pa.concat_tables(tables).take(pa.array(order)).combine_chunks()
    return table, count(table)


def lost_rows(dataset: Dataset) -> dict[str, str]:
    """By id why a row could not be made, and was made as of an empty text."""
    lost = {}
    for name in dataset.manifest.counters:
        identity = name.rpartition("[")[2].removesuffix("]")
        if name.startswith(DIED):
            lost[identity] = "a worker process died on it"
        elif name.startswith(FAILED):
            lost[identity] = name.removeprefix(FAILED).rpartition("): ")[0]
    return lost


def _numbers(mask: pa.ChunkedArray) -> Places:
    return np.flatnonzero(mask.combine_chunks().to_numpy(zero_copy_only=False))


def _made(function: Callable[[pa.Table], Made], table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows of a table: all at once, or each by itself where one of them raises or killed a worker."""
    if not guard.alone():
        guard.limit(_SHARD_SECONDS)
        try:
            return _table(function(table), schema)
        except CodekilnError:
            raise
        except Exception as error:  # the row that is at fault is found, and named, below
            say(f"{one_line(error)[:160] or type(error).__name__}: the rows of a shard are made one by one")
        finally:
            guard.limit(0)
    rows = [_one(function, table.slice(number, 1), schema) for number in range(len(table))]
    return pa.concat_tables([schema.empty_table(), *rows]).combine_chunks()


def _one(function: Callable[[pa.Table], Made], row: pa.Table, schema: pa.Schema) -> pa.Table:
    place = "".join(
        f"{row[name][0].as_py()}{end}"
        for name, end in (("repo", ":"), ("path", " "))
        if name in row.column_names
    )
    name = f"{place}[{row['id'][0].as_py()}]"
    if guard.enter(name):
        try:
            return _table(function(row), schema)
        except CodekilnError:
            raise
        except Exception as error:
            why = error
        finally:
            guard.leave()
        made = _table(function(_emptied(row)), schema)  # it is not the row, when this raises too
        guard.fail(name, why)
        return made
    return _table(function(_emptied(row)), schema)


def _emptied(row: pa.Table) -> pa.Table:
    at = row.schema.get_field_index("content")
    return (
        row if at < 0 else row.set_column(at, row.schema.field(at), pa.array([""], row.schema.field(at).type))
    )


def _table(made: Made, schema: pa.Schema) -> pa.Table:
    table = made[0] if isinstance(made, tuple) else made
    return table.select(schema.names).cast(schema).combine_chunks()


def _earlier(shards: Sequence[tuple[Place, int, str]]) -> list[pa.Table] | None:
    """Earlier shards; None unless all are as they were written."""
    tables = []
    for place, _, digest in shards:
        table = read_sound(place, digest)
        if table is None:
            return None
        tables.append(table)
    return tables


def places_of(wanted: pa.Table, have: pa.Table) -> Places:
    """For each row of `wanted` the number of the first row of `have` with the same values (text columns), or -1."""
    text = pa.large_string()
    joined = [
        pc.binary_join_element_wise(
            *(pc.cast(table[name], text) for name in table.column_names), pa.scalar("\0", text)
        )
        for table in (wanted, have)
    ]
    found = pc.fill_null(pc.index_in(joined[0], value_set=joined[1]), -1)
    return np.asarray(found.combine_chunks().to_numpy(zero_copy_only=False), np.int64)
