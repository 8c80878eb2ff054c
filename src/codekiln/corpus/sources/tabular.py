"""Tables of files as sources: Parquet and JSON Lines in The Stack's layouts, or any with a column of contents.

A table is cut into slices (row groups, or runs of lines) that are read one by one, whatever the size of the whole.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from codekiln.errors import UserError, one_line

SUFFIXES = {
    ".parquet": "parquet",
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".jsonl.gz": "lines",
    ".json.gz": "lines",
}
#: Bytes of a slice, as the table stores them uncompressed.
SLICE_BYTES = 64 * 1024**2
#: A line beyond this is no record of a file.
MAX_LINE = 256 * 1024**2

#: What a row may call each of its parts, the first that is there counts; a dot leads into a structure. The Stack 1.2
#: has the `max_stars_repo_` names, The Stack v2 `repo_name`, `path`, `detected_licenses` and, by repository, `files`.
COLUMNS: dict[str, tuple[str, ...]] = {
    "content": ("content", "contents", "text", "code", "source"),
    "path": (
        "path",
        "max_stars_repo_path",
        "file_path",
        "filepath",
        "filename",
        "file_name",
        "meta.path",
        "name",
    ),
    "repo": ("repo_name", "max_stars_repo_name", "repo", "repository", "repository_name", "meta.repo_name"),
    "language": ("language", "lang", "programming_language", "meta.language"),
    "licenses": ("detected_licenses", "max_stars_repo_licenses", "licenses", "license", "meta.license"),
    "revision": ("revision_id", "max_stars_repo_head_hexsha", "commit", "commit_id", "sha"),
    "dataset_title": ("dataset_title", "kaggle_dataset_title", "kaggle_dataset_name"),
    "dataset_description": ("dataset_description", "kaggle_dataset_description"),
}
#: Of a table with one row a repository: the column of its files, each with content, path and the like.
FILES_COLUMN = "files"


@dataclass(frozen=True)
class Slice:
    """Rows `first` … of a table: row groups `start` to `end` of Parquet, bytes `start` to `end` of lines.

    `compressed` lines are one slice. `name` is what rows without a repository are filed under. `columns` are pairs of
    part and column: all of Parquet, those that were asked for of lines.
    """

    path: str
    name: str
    kind: str
    start: int
    end: int
    first: int
    columns: tuple[tuple[str, str], ...]
    compressed: bool = False


@dataclass(frozen=True)
class Record:
    """One file of a table. `row` counts from 0 over the whole table; `content` is None where it is no text; `about` is the
    title and description of the data of a Kaggle notebook, None where the table has no such columns."""

    row: int
    repo: str
    path: str
    content: str | None
    language: str
    licenses: tuple[str, ...]
    revision: str | None
    about: tuple[str, str] | None = None


@dataclass(frozen=True)
class Layout:
    """A table as it was found: its slices, and a SHA-256 in hex over its bytes."""

    slices: tuple[Slice, ...]
    sha256: str


def suffix_of(name: str) -> str | None:
    """The table suffix of a file name, or None when it is no table."""
    fits = [suffix for suffix in SUFFIXES if name.lower().endswith(suffix) and len(name) > len(suffix)]
    return max(fits, key=len) if fits else None


def find(path: Path, columns: Mapping[str, str]) -> Layout:
    """Cut a table into slices.

    Args:
        columns: part -> name of the column, in place of the usual names.

    Raises:
        UserError: it is no table, or has no column of contents, or one of another type than text.
    """
    suffix = suffix_of(path.name) or ".jsonl"
    name = path.name[: -len(suffix)]
    if SUFFIXES[suffix] == "parquet":
        return _find_parquet(path, name, columns)
    return _find_lines(path, name, columns, suffix.endswith(".gz"))


def records(part: Slice) -> Iterator[Record]:
    """The files of a slice, in order.

    Raises:
        UserError: the table is damaged; the row or line is named.
    """
    given = dict(part.columns)
    for row, values in _rows(part):
        # Columns of Parquet were chosen once; the records of JSON may differ in their keys.
        names = given if part.kind == "parquet" else _named(values, given)
        inner = values.get(FILES_COLUMN)
        if "content" in names or not isinstance(inner, list):
            yield _record(part, row, 0, values, names)
            continue
        outer = {key: value for key, value in values.items() if key != FILES_COLUMN}
        for number, one in enumerate(inner):
            if isinstance(one, dict):
                merged = {**outer, **one}
                yield _record(part, row, number, merged, _named(merged, {}))


def _record(
    part: Slice, row: int, number: int, values: Mapping[str, Any], names: Mapping[str, str]
) -> Record:
    def text(what: str) -> str:
        value = _at(values, names[what]) if what in names else None
        return value if isinstance(value, str) else ""

    found = _at(values, names["licenses"]) if "licenses" in names else None
    licenses = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    content = _at(values, names["content"]) if "content" in names else None
    if isinstance(content, bytes):
        content = content.decode("utf-8", "replace")
    inner = f"{row:08d}" + (f"-{number}" if number else "")
    return Record(
        row,
        text("repo") or part.name,
        text("path").lstrip("/") or inner,
        content if isinstance(content, str) else None,
        text("language"),
        tuple(one for one in licenses if isinstance(one, str)),
        text("revision") or None,
        (text("dataset_title"), text("dataset_description")) if _ABOUT & {*names} else None,
    )


_ABOUT = {"dataset_title", "dataset_description"}


def _at(values: Any, name: str) -> Any:
    for key in [name] if name in values else name.split("."):
        if not isinstance(values, dict):
            return None
        values = values.get(key)
    return values


def _named(values: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """Part -> column, of those that a row has."""
    found = dict(given)
    for part, names in COLUMNS.items():
        if part not in found:
            fits = [
                name for name in names if name in values or ("." in name and _at(values, name) is not None)
            ]
            if fits:
                found[part] = fits[0]
    return found


def _choose(
    path: Path, given: Mapping[str, str], names: dict[str, str], have: list[str]
) -> tuple[tuple[str, str], ...]:
    for part, column in given.items():
        if column.split(".")[0] not in have:
            raise UserError(
                f"sources.columns.{part}: {path} has no column {column!r}; it has {', '.join(map(repr, have))}"
            )
    if "content" not in names and FILES_COLUMN not in have:
        raise UserError(
            f"{path} has no column of file contents ({', '.join(COLUMNS['content'])}); it has "
            f"{', '.join(map(repr, have)) or 'none'}: name it with --set sources.columns.content=NAME"
        )
    return tuple(sorted(names.items()))


def _find_parquet(path: Path, name: str, given: Mapping[str, str]) -> Layout:
    try:
        with pq.ParquetFile(path) as file:
            schema, metadata = file.schema_arrow, file.metadata
            sizes = [
                (metadata.row_group(n).total_byte_size, metadata.row_group(n).num_rows)
                for n in range(metadata.num_row_groups)
            ]
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path} is not a readable Parquet file ({one_line(error)[:160]})") from None
    sample: dict[str, Any] = {field.name: _example(field.type) for field in schema}
    columns = _choose(path, given, _named(sample, given), schema.names)
    content = dict(columns).get("content")
    if content is not None and content in schema.names and not isinstance(sample[content], str | bytes):
        kind = schema.field(content).type
        raise UserError(
            f"{path}: column {content!r} is {kind} and not text; name another with --set sources.columns.content=NAME"
        )
    slices, start, first, size, rows = [], 0, 0, 0, 0
    for number, (group_bytes, group_rows) in enumerate(sizes):
        if number > start and size + group_bytes > SLICE_BYTES:
            slices.append(Slice(str(path), name, "parquet", start, number, first, columns))
            start, first, size, rows = number, first + rows, 0, 0
        size, rows = size + group_bytes, rows + group_rows
    if start < len(sizes):
        slices.append(Slice(str(path), name, "parquet", start, len(sizes), first, columns))
    return Layout(tuple(slices), _sha256(path))


def _example(kind: pa.DataType) -> Any:
    """A value of a column's type, for the search of names."""
    if pa.types.is_struct(kind):
        return {field.name: _example(field.type) for field in kind}
    if pa.types.is_dictionary(kind):
        return _example(kind.value_type)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view():
        return ""
    return b"" if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) else 0


def _find_lines(path: Path, name: str, given: Mapping[str, str], compressed: bool) -> Layout:
    columns: tuple[tuple[str, str], ...] | None = None
    slices, start, first, row, place = [], 0, 0, 0, 0
    digest = hashlib.sha256()
    try:
        with _opened(path, compressed) as stream:
            while line := stream.readline(MAX_LINE + 1):
                if len(line) > MAX_LINE:
                    raise UserError(f"{path}:{row + 1}: a line of more than {MAX_LINE:,} bytes is no record")
                digest.update(line)
                if columns is None and line.strip():
                    values = _parsed(path, row, line)
                    _choose(path, given, _named(values, given), list(values))
                    columns = tuple(sorted(given.items()))
                place += len(line)
                row += 1
                if place - start >= SLICE_BYTES and not compressed:
                    slices.append(Slice(str(path), name, "lines", start, place, first, columns or ()))
                    start, first = place, row
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read ({one_line(error)[:160]}); is it whole?") from None
    if columns is None:
        raise UserError(
            f"{path} holds no record; each line is to be a JSON object with the content of a file"
        )
    if place > start:
        slices.append(Slice(str(path), name, "lines", start, place, first, columns, compressed))
    return Layout(tuple(slices), digest.hexdigest())


def _opened(path: Path, compressed: bool) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if compressed else open(path, "rb")


def _sha256(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _parsed(path: str | Path, row: int, line: bytes) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}:{row + 1}: not valid JSON ({one_line(error)[:80]})") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}:{row + 1}: a JSON object is wanted, not {type(values).__name__}")
    return values


def _rows(part: Slice) -> Iterator[tuple[int, dict[str, Any]]]:
    if part.kind == "parquet":
        yield from _parquet_rows(part)
        return
    row, left = part.first, part.end - part.start
    with _opened(Path(part.path), part.compressed) as stream:
        stream.seek(part.start)
        while left > 0 and (line := stream.readline(MAX_LINE + 1)):
            left -= len(line)
            if line.strip():
                yield row, _parsed(part.path, row, line)
            row += 1


def _parquet_rows(part: Slice) -> Iterator[tuple[int, dict[str, Any]]]:
    row = part.first
    names = dict(part.columns)
    wanted = {name.split(".")[0] for name in names.values()} | (
        set() if "content" in names else {FILES_COLUMN}
    )
    try:
        with pq.ParquetFile(part.path) as file:
            for batch in file.iter_batches(
                batch_size=256,
                row_groups=list(range(part.start, part.end)),
                columns=[name for name in file.schema_arrow.names if name in wanted],
            ):
                for values in batch.to_pylist():
                    yield row, values
                    row += 1
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{part.path}: row {row} and on cannot be read ({one_line(error)[:160]})") from None
