"""The index of test data for decontamination: which runs of words belong to which items of which benchmarks.

Built once from a table of texts (`codekiln.corpus.grambuild`), kept as plain arrays in one Arrow file, opened
read-only and memory-mapped by any number of workers. The same texts and settings give the same bytes.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from codekiln.corpus.decontamination.words import Hashes
from codekiln.errors import RunError, one_line
from codekiln.shards.disk import disk_errors

#: Raise whenever the same texts give another index.
VERSION = 1
#: Report section 2.7: a shared run of ten words. Shorter items count when they stand in a document whole, down to
#: three words (DeepSeek-Coder: exact match for 3 to 9).
GRAM, SHORTEST = 10, 3
_NAMES = b"codekiln.names"

#: One text of a benchmark: a prompt, a solution, a test.
TEXTS = pa.schema(
    [("benchmark", pa.string()), ("item", pa.string()), ("field", pa.string()), ("text", pa.large_string())],
    metadata={"codekiln.schema": "benchmark_texts", "codekiln.version": "1"},
)


class Owner(NamedTuple):
    """Where a run of words comes from: the first item of a benchmark that has it, and how many of its items do."""

    benchmark: str
    item: str
    field: str
    items: int


@dataclass(frozen=True)
class Index:
    """Runs of words of the test data, sorted by hash.

    `hashes`: uint64 (R,), of runs of GRAM words and of whole short texts. `begins`, `sizes`: where in `blob` the words
    of each run stand, in bytes. `owned`: int64 (R + 1,), rows of `benchmarks`, `items`, `labels`, `counts` that are
    the owners of each run. `bits`, `short_bits`, `start_bits`: filters of the runs of GRAM words, of the short texts and
    of their first SHORTEST words. `short_lengths`: numbers of words of short texts.
    `names`: the benchmarks, items and fields by number, and what was counted.
    """

    hashes: Hashes
    begins: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int32]
    owned: npt.NDArray[np.int64]
    benchmarks: npt.NDArray[np.int32]
    items: npt.NDArray[np.int32]
    labels: npt.NDArray[np.int32]
    counts: npt.NDArray[np.int32]
    bits: npt.NDArray[np.uint8]
    short_bits: npt.NDArray[np.uint8]
    start_bits: npt.NDArray[np.uint8]
    short_lengths: npt.NDArray[np.int32]
    blob: npt.NDArray[np.uint8]
    names: dict[str, Any]

    def words(self, row: int) -> bytes:
        """The words of a run, joined by blanks."""
        begin = int(self.begins[row])
        return self.blob[begin : begin + int(self.sizes[row])].tobytes()

    def owners(self, row: int) -> tuple[Owner, ...]:
        """Every benchmark that has a run, in the order of their names."""
        rows = range(int(self.owned[row]), int(self.owned[row + 1]))
        return tuple(
            Owner(
                self.names["benchmarks"][self.benchmarks[at]],
                self.names["items"][self.items[at]],
                self.names["fields"][self.labels[at]],
                int(self.counts[at]),
            )
            for at in rows
        )


def filter_bits(bits: npt.NDArray[np.uint8], hashes: Hashes) -> npt.NDArray[np.int64]:
    """The places of those hashes that may be among the ones that made `bits`; none that is there is ever missed."""
    maybe = np.flatnonzero(_bit(bits, _first(hashes, len(bits))))
    return maybe[_bit(bits, _second(hashes[maybe], len(bits))) != 0]


def make_bits(hashes: Hashes) -> npt.NDArray[np.uint8]:
    """A Bloom filter with 16 to 32 bits and two probes a hash: about one stranger in 150 gets through."""
    bits = np.zeros((1 << max(8, (16 * len(hashes)).bit_length())) // 8, np.uint8)
    for places in (_first(hashes, len(bits)), _second(hashes, len(bits))):
        np.bitwise_or.at(
            bits, places >> np.uint64(3), np.uint8(1) << (places & np.uint64(7)).astype(np.uint8)
        )
    return bits


def _first(hashes: Hashes, size: int) -> Hashes:
    return hashes >> np.uint64(64 - (size * 8).bit_length() + 1)


def _second(hashes: Hashes, size: int) -> Hashes:
    return hashes & np.uint64(size * 8 - 1)


def _bit(bits: npt.NDArray[np.uint8], places: Hashes) -> npt.NDArray[np.uint8]:
    return np.asarray(
        (bits[places >> np.uint64(3)] >> (places & np.uint64(7)).astype(np.uint8)) & np.uint8(1)
    )


def save_index(index: Index, path: Path) -> None:
    """Write an index to a file, all or nothing.

    Raises:
        RunError: the disk is full or refuses.
    """
    arrays = {field.name: getattr(index, field.name) for field in fields(index) if field.name != "names"}
    columns = [
        pa.LargeListArray.from_arrays(pa.array([0, len(values)], pa.int64()), pa.array(values))
        for values in arrays.values()
    ]
    names = json.dumps(index.names, sort_keys=True, ensure_ascii=True).encode()
    schema = pa.schema(
        [pa.field(name, column.type) for name, column in zip(arrays, columns)], metadata={_NAMES: names}
    )
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@lru_cache(maxsize=2)
def open_index(path: str) -> Index:
    """The index in a file, opened once a process; the arrays stay on disk until they are looked at.

    Raises:
        RunError: the file is missing or broken.
    """
    try:
        batch = pa.ipc.open_file(pa.memory_map(path)).get_batch(0)
        names = json.loads(batch.schema.metadata[_NAMES])
        arrays = {
            name: column.values.to_numpy(zero_copy_only=True)
            for name, column in zip(batch.schema.names, batch.columns)
        }
        return Index(**arrays, names=names)
    except (OSError, pa.ArrowInvalid, ValueError, KeyError, TypeError) as error:
        raise RunError(f"cannot read {path} ({one_line(error)[:160]}); delete it and run again") from None
