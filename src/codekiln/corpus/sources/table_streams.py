"""The bytes of a table's file: unpacked, on disk, or in parts from an address."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from codekiln.corpus.sources import remote_tables
from codekiln.corpus.sources.table_files import TableFile

_BUFFER = 1 << 17


def opened(file: TableFile) -> IO[bytes]:
    """A table's bytes, unpacked; seekable (forward alone and slowly where the file is compressed).

    Raises OSError for a path, the errors of `remote_tables.opened` for an address.
    """
    if file.is_remote:
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
