"""The file of a table: on disk, or read in parts at an address."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, cast
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from codekiln.downloads.addresses import shown

SUFFIXES = {
    ".parquet": "parquet",
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".jsonl.gz": "lines",
    ".ndjson.gz": "lines",
    ".json.gz": "lines",
    ".jsonl.zst": "lines",
    ".ndjson.zst": "lines",
    ".json.zst": "lines",
}
_BUFFER = 1 << 17


@dataclass(frozen=True)
class TableFile:
    """Where a table is: a path, or an address. Of an address `size` (bytes) and `mark` are what was found there: a file
    that no longer has them is not read."""

    where: str
    size: int = 0
    mark: str = ""

    @property
    def is_remote(self) -> bool:
        return "://" in self.where

    def __str__(self) -> str:
        return shown(self.where) if self.is_remote else self.where


def suffix_of(name: str) -> str | None:
    """The table suffix of a file name, or None when it is no table."""
    fits = [suffix for suffix in SUFFIXES if name.lower().endswith(suffix) and len(name) > len(suffix)]
    return max(fits, key=len) if fits else None


def file_name(where: str) -> str:
    """The name of the file at a path or address, without the query of a web address."""
    if where.lower().startswith(("http://", "https://")):
        where = unquote(where.partition("#")[0].partition("?")[0])
    return where.rpartition("/")[2]


def is_compressed(name: str) -> bool:
    """Whether a file of this name has to be read from its beginning."""
    return name.lower().endswith((".gz", ".zst"))


def is_lines(where: str) -> bool:
    """Whether the table at a path or address is one of lines."""
    return SUFFIXES[suffix_of(file_name(where)) or ".jsonl"] == "lines"


def opened(file: TableFile) -> IO[bytes]:
    """A table's bytes, unpacked; seekable (forward alone and slowly where the file is compressed).

    Raises OSError for a path, the errors of `remote_tables.opened` for an address.
    """
    if file.is_remote:
        from codekiln.corpus.sources import remote_tables

        return remote_tables.opened(file)
    if file.where.lower().endswith(".gz"):
        return cast("IO[bytes]", gzip.open(file.where))
    if file.where.lower().endswith(".zst"):
        return cast("IO[bytes]", io.BufferedReader(_Zstandard(file.where), _BUFFER))
    return open(file.where, "rb")


@contextmanager
def parquet(file: TableFile) -> Iterator[pq.ParquetFile]:
    """A Parquet file. Raises as `opened`, and pyarrow's errors."""
    if not file.is_remote:
        with pq.ParquetFile(file.where) as table:
            yield table
        return
    with opened(file) as stream, pq.ParquetFile(stream) as table:
        yield table


class _Zstandard(io.RawIOBase):
    """The unpacked bytes of a zstd file of one or more frames."""

    def __init__(self, path: str) -> None:
        self._file = pa.OSFile(path, "rb")
        self._stream = pa.CompressedInputStream(self._file, "zstd")
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or offset < self._place:
            raise io.UnsupportedOperation("a compressed stream is read front to back")
        while self._place < offset and (data := self._stream.read(min(offset - self._place, _BUFFER))):
            self._place += len(data)
        return self._place

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()
