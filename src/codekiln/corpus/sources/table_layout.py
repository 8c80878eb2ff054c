"""Cutting a table into slices, whatever its size: row groups of Parquet, runs of lines."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from codekiln.corpus.sources.table_files import (
    SUFFIXES,
    TableFile,
    file_name,
    is_compressed,
    stem,
    suffix_of,
)
from codekiln.corpus.sources.table_streams import opened, parquet
from codekiln.corpus.sources.tabular import COLUMNS, FILES_COLUMN, MAX_LINE, Layout, Slice, at, named, parsed
from codekiln.errors import BadSource, UserError, one_line

#: Bytes of a slice, as the table stores them uncompressed.
SLICE_BYTES = 64 * 1024**2


def find(file: TableFile, columns: Mapping[str, str]) -> Layout:
    """Cut a table into slices.

    A table on disk is marked by the SHA-256 of its bytes (of what they unpack to, for compressed lines), one at an
    address by its own mark, where it has one: then no more of it is read than decides.

    Args:
        columns: part -> name of the column, in place of the usual names.

    Raises:
        UserError: it is no table, or has no column of contents, or one of another type than text.
        RunError: an address cannot be reached.
    """
    base = file_name(file.where)
    name = stem(base)
    if SUFFIXES[suffix_of(base) or ".jsonl"] == "parquet":
        return _find_parquet(file, name, columns)
    if file.is_remote:
        return _find_far_lines(file, name, columns)
    return _find_lines(file, name, columns, is_compressed(base))


def _choose(
    file: TableFile, given: Mapping[str, str], names: dict[str, str], have: list[str]
) -> tuple[tuple[str, str], ...]:
    for part, column in given.items():
        if column.split(".")[0] not in have:
            raise UserError(
                f"sources.columns.{part}: {file} has no column {column!r}; it has {', '.join(map(repr, have))}"
            )
    if "content" not in names and FILES_COLUMN not in have:
        raise BadSource(
            f"{file} has no column of file contents ({', '.join(COLUMNS['content'])}); it has "
            f"{', '.join(map(repr, have)) or 'none'}: name it with --set sources.columns.content=NAME"
        )
    return tuple(sorted(names.items()))


def _find_parquet(file: TableFile, name: str, given: Mapping[str, str]) -> Layout:
    try:
        with parquet(file) as table:
            schema, metadata = table.schema_arrow, table.metadata
            sizes = [
                (metadata.row_group(n).total_byte_size, metadata.row_group(n).num_rows)
                for n in range(metadata.num_row_groups)
            ]
    except (OSError, pa.ArrowException) as error:
        raise BadSource(f"{file} is not a readable Parquet file ({one_line(error)[:160]})") from None
    sample: dict[str, Any] = {field.name: _example(field.type) for field in schema}
    columns = _choose(file, given, named(sample, given), schema.names)
    content = dict(columns).get("content")
    if content is not None and content in schema.names and not isinstance(sample[content], str | bytes):
        kind = schema.field(content).type
        raise BadSource(
            f"{file}: column {content!r} is {kind} and not text; name another with --set sources.columns.content=NAME"
        )
    _check_named(file, schema, sample, given)
    slices, start, first, size, rows = [], 0, 0, 0, 0
    for number, (group_bytes, group_rows) in enumerate(sizes):
        if number > start and size + group_bytes > SLICE_BYTES:
            slices.append(Slice(file, name, "parquet", start, number, first, columns))
            start, first, size, rows = number, first + rows, 0, 0
        size, rows = size + group_bytes, rows + group_rows
    if start < len(sizes):
        slices.append(Slice(file, name, "parquet", start, len(sizes), first, columns))
    return Layout(tuple(slices), file.mark or _sha256(file))


def _check_named(
    file: TableFile, schema: pa.Schema, sample: Mapping[str, Any], given: Mapping[str, str]
) -> None:
    """Refuse a named column of another type than its part: every row would go without, and nobody would be told."""
    for part, column in given.items():
        value = at(sample, column)
        if part == "licenses" and isinstance(value, list):
            value = value[0]
        if not isinstance(value, str | bytes if part == "content" else str):
            top = column if column in schema.names else column.partition(".")[0]
            raise UserError(
                f"sources.columns.{part}: column {column!r} of {file} is no text ({top!r} is {schema.field(top).type})"
            )


def _example(kind: pa.DataType) -> Any:
    """A value of a column's type, for the search of names."""
    if pa.types.is_struct(kind):
        return {field.name: _example(field.type) for field in kind}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return [_example(kind.value_type)]
    if pa.types.is_dictionary(kind):
        return _example(kind.value_type)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view():
        return ""
    return b"" if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) else 0


def _find_lines(file: TableFile, name: str, given: Mapping[str, str], compressed: bool) -> Layout:
    columns, seen = tuple(sorted(given.items())), _Lines(file, given)
    slices, start, first, row, place = [], 0, 0, 0, 0
    digest = hashlib.sha256()
    try:
        with opened(file) as stream:
            # A line that is too long is read, here and later, as several that are no records.
            while line := stream.readline(MAX_LINE + 1):
                digest.update(line)
                seen.look(row, line)
                place += len(line)
                row += 1
                if place - start >= SLICE_BYTES and not compressed:
                    slices.append(Slice(file, name, "lines", start, place, first, columns))
                    start, first = place, row
    except (OSError, EOFError, zlib.error) as error:
        raise BadSource(f"{file} cannot be read ({one_line(error)[:160]}); is it whole?") from None
    seen.require()
    if place > start:
        slices.append(Slice(file, name, "lines", start, place, first, columns))
    return Layout(tuple(slices), f"sha256:{digest.hexdigest()}")


def _find_far_lines(file: TableFile, name: str, given: Mapping[str, str]) -> Layout:
    """Slices of lines at an address: only what lies where they are cut is read, and lines until one is a record."""
    columns, seen = tuple(sorted(given.items())), _Lines(file, given)
    slices, start, place = [], 0, 0
    with opened(file) as stream:
        while not seen.found and (line := stream.readline(MAX_LINE + 1)):
            seen.look(place, line)
            place += len(line)
        seen.require()
        while start < file.size:
            end = min(start + SLICE_BYTES, file.size)
            if end < file.size:
                stream.seek(end - 1)
                end += len(stream.readline(MAX_LINE + 1)) - 1
            slices.append(Slice(file, name, "lines", start, end, start, columns))
            start = end
    return Layout(tuple(slices), file.mark or _sha256(file))


#: So many lines may be no record before a file is taken for no table.
_TRIES = 100


class _Lines:
    """Looks for the first record among the lines of a file: a broken one before it costs itself."""

    def __init__(self, file: TableFile, given: Mapping[str, str]) -> None:
        self._file, self._given = file, given
        self._tries = 0
        self._fault: UserError = _empty(file)
        self.found = False

    def look(self, row: int, line: bytes) -> None:
        """Raises the first line's fault after `_TRIES` lines that are no record."""
        if self.found or not line.strip():
            return
        try:
            values = parsed(self._file, row, line)
            _choose(self._file, self._given, named(values, self._given), list(values))
            self.found = True
        except UserError as error:
            self._fault = self._fault if self._tries else error
            self._tries += 1
            if self._tries >= _TRIES:
                self.require()

    def require(self) -> None:
        """Raises the first line's fault where none was a record."""
        if not self.found:
            raise self._fault


def _empty(file: TableFile) -> BadSource:
    return BadSource(f"{file} holds no record; each line is to be a JSON object with the content of a file")


def _sha256(file: TableFile) -> str:
    digest = hashlib.sha256()
    with opened(file) as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return f"sha256:{digest.hexdigest()}"
