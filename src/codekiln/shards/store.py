"""Datasets on disk: a folder of Parquet shards beside a manifest that says what they are and how they were made."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from codekiln.errors import RunError, UserError, one_line
from codekiln.shards import places
from codekiln.shards.disk import disk_errors, hash_file, hash_json
from codekiln.shards.places import Place
from codekiln.shards.tables import schema_name, schema_version

MANIFEST = "manifest.json"
#: The file that marks a folder as codekiln's output, and locks it; such a folder is never a source of code.
OUTPUT_MARK = ".codekiln.lock"
ROW_GROUP = 4096


class ShardInfo(BaseModel):
    """One shard: file name, rows, size in bytes, SHA-256 of the file, and what its making counted."""

    model_config = ConfigDict(frozen=True)
    name: str
    rows: int
    bytes: int
    sha256: str
    counters: dict[str, int] = {}


class Manifest(BaseModel):
    """What a dataset is and how it was made; nothing in it depends on the host or the clock."""

    schema_name: str
    schema_version: int
    stage: str
    stage_version: int
    config: dict[str, Any]
    inputs: dict[str, str]
    seed: int
    rows: int
    bytes: int
    shards: list[ShardInfo]
    counters: dict[str, int]

    @property
    def content_hash(self) -> str:
        """SHA-256 over schema and shard hashes: equal exactly when the stored rows are equal byte for byte."""
        return hash_json([self.schema_name, self.schema_version, [shard.sha256 for shard in self.shards]])


def write_shard(table: pa.Table, place: Place, schema: pa.Schema, counters: dict[str, int]) -> ShardInfo:
    """Write one Parquet shard (zstd) atomically; same rows give the same bytes, on a disk or at an address."""
    table = table.select(schema.names).cast(schema)
    if isinstance(place, Path):
        temporary = place.with_name(place.name + ".tmp")
        with disk_errors(place):
            _write_parquet(table, temporary)
            with open(temporary, "rb+") as stream:
                os.fsync(stream.fileno())
            os.replace(temporary, place)
        name, size, digest = place.name, place.stat().st_size, hash_file(place)
    else:
        sink = pa.BufferOutputStream()
        _write_parquet(table, sink)
        data = sink.getvalue().to_pybytes()
        places.write(place, data)
        name, size, digest = place.rpartition("/")[2], len(data), hashlib.sha256(data).hexdigest()
    return ShardInfo(
        name=name, rows=table.num_rows, bytes=size, sha256=digest, counters=dict(sorted(counters.items()))
    )


def _write_parquet(table: pa.Table, sink: Any) -> None:
    pq.write_table(
        table, sink, compression="zstd", compression_level=3, row_group_size=ROW_GROUP, version="2.6"
    )


class Dataset:
    """A finished dataset. Open one with `Dataset.open`.

    Attributes:
        path: its folder, or its address.
        place: where its shards are: the same, or an address that its folder names.
    """

    def __init__(self, path: Place, manifest: Manifest, place: Place | None = None) -> None:
        self.path, self.manifest, self.place = path, manifest, place or path

    @classmethod
    def open(cls, path: Place) -> Dataset:
        """Open the dataset in a folder, wherever its shards are, or at an address (`s3://BUCKET/PREFIX/train-…`).

        Raises:
            UserError: the folder holds no finished dataset, or its manifest cannot be read.
            RunError: the system of an address cannot be reached.
        """
        try:
            if isinstance(path, Path):
                text = (path / MANIFEST).read_bytes()
            elif (text := places.read(f"{path}/{MANIFEST}") or b"") == b"":
                raise UserError(f"{places.said(path)} are no codekiln dataset: there is no {MANIFEST}")
            manifest = Manifest.model_validate_json(text)
        except FileNotFoundError:
            assert isinstance(path, Path)  # at an address it was looked for
            raise UserError(_not_there(path)) from None
        except (ValidationError, ValueError) as error:
            raise UserError(
                f"{places.join(path, MANIFEST)} cannot be read ({one_line(error)[:200]}); "
                f"delete {path} and run again"
            ) from None
        return cls(path, manifest, places.address_of(path) if isinstance(path, Path) else None)

    @property
    def content_hash(self) -> str:
        return self.manifest.content_hash

    @property
    def shard_paths(self) -> list[Place]:
        return [places.join(self.place, shard.name) for shard in self.manifest.shards]

    def __len__(self) -> int:
        return self.manifest.rows

    def tables(self, columns: list[str] | None = None) -> Iterator[pa.Table]:
        """The shards in order, one Arrow table each."""
        for path in self.shard_paths:
            yield read_shard(path, columns)

    def table(self, columns: list[str] | None = None) -> pa.Table:
        """All rows as one Arrow table."""
        tables = list(self.tables(columns))
        if not tables:
            raise UserError(f"{self.path} holds no shard")
        return pa.concat_tables(tables)

    def rows(self, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
        """All rows in order as dictionaries."""
        for table in self.tables(columns):
            for batch in table.to_batches():
                yield from batch.to_pylist()

    def verify(self) -> None:
        """Check every shard against its hash.

        Raises:
            RunError: a shard is missing or differs.
        """
        for place, shard in zip(self.shard_paths, self.manifest.shards):
            if not _is_whole(place, shard.sha256):
                raise RunError(f"{place} does not match its manifest; delete {self.path} and run again")


def _not_there(path: Path) -> str:
    """Why there is no dataset at a path: no such folder at all, or the dataset stands a level above or below."""
    near = [path.parent.parent / path.name, *sorted(path.parent.glob(f"*/{path.name}"))]
    hint = next((f"; there is one in {place.parent}" for place in near if (place / MANIFEST).exists()), "")
    missing = next((place for place in reversed([path, *path.parents]) if not place.exists()), path)
    if missing != path:
        return f"there is no folder {missing}{hint}"
    return f"{path} is not a codekiln dataset: it has no {MANIFEST}{hint}"


def read_shard(place: Place, columns: list[str] | None = None) -> pa.Table:
    """Read one Parquet shard; a broken or missing one is a RunError that names it.

    Of one at an address only the wanted columns are fetched. Raises UserError where its system refuses.
    """
    if isinstance(place, Path):
        try:
            return pq.read_table(place, columns=columns)
        except (OSError, pa.ArrowInvalid) as error:
            raise _broken(place, error) from None
    with places.reaching(place):
        try:
            if columns is None:
                data = places.read(place)
                if data is None:
                    raise FileNotFoundError
                return pq.read_table(pa.BufferReader(data))
            # In this thread alone: a thread of Arrow that still holds the stream when Python ends aborts the process.
            with places.opened(place) as stream, pq.ParquetFile(stream, pre_buffer=False) as shard:
                return shard.read(columns, use_threads=False)
        except FileNotFoundError:
            raise _broken(place, "it is not there any more") from None
        except pa.ArrowInvalid as error:
            raise _broken(place, error) from None


def _broken(place: Place, why: object) -> RunError:
    return RunError(f"cannot read shard {place} ({one_line(why)[:160]}); delete its folder and run again")


def read_sound(place: Place, sha256: str) -> pa.Table | None:
    """A shard whose bytes have this hash; None where it is gone or another."""
    if isinstance(place, Path):
        return read_shard(place) if _is_whole(place, sha256) else None
    data = places.read(place)
    if data is None or hashlib.sha256(data).hexdigest() != sha256:
        return None
    return pq.read_table(pa.BufferReader(data))


def _is_whole(place: Place, sha256: str) -> bool:
    if isinstance(place, Path):
        return place.is_file() and hash_file(place) == sha256
    data = places.read(place)
    return data is not None and hashlib.sha256(data).hexdigest() == sha256


def new_manifest(
    schema: pa.Schema,
    shards: list[ShardInfo],
    *,
    stage: str,
    stage_version: int,
    config: dict[str, Any],
    inputs: dict[str, str],
    seed: int,
) -> Manifest:
    """The manifest of a set of shards; counters are summed over them."""
    counters: dict[str, int] = {}
    for shard in shards:
        for name, value in shard.counters.items():
            counters[name] = counters.get(name, 0) + value
    return Manifest(
        schema_name=schema_name(schema),
        schema_version=schema_version(schema),
        stage=stage,
        stage_version=stage_version,
        config=config,
        inputs=inputs,
        seed=seed,
        rows=sum(shard.rows for shard in shards),
        bytes=sum(shard.bytes for shard in shards),
        shards=shards,
        counters=dict(sorted(counters.items())),
    )
