"""Tables of files as sources: Parquet and JSON Lines in The Stack's layouts, or any with a column of contents.

A table is cut into slices (row groups, or runs of lines) that are read one by one, whatever the size of the whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from codekiln.corpus.sources import decoding
from codekiln.corpus.sources.table_files import TableFile
from codekiln.corpus.sources.table_streams import opened, parquet
from codekiln.errors import BadSource, UserError, one_line

#: A line beyond this is no record of a file.
MAX_LINE = 256 * 1024**2
#: Rows of Parquet that are unpacked together: so many, but no more than can be so many bytes.
_BATCH_ROWS, _BATCH_BYTES = 256, 1024**3

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

    Compressed lines are one slice. `name` is what rows without a repository are filed under. `columns` are pairs of
    part and column: all of Parquet, those that were asked for of lines. The rows of lines at an address are numbered by
    the byte that they begin at: nobody has counted the lines before.
    """

    file: TableFile
    name: str
    kind: str
    start: int
    end: int
    first: int
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Record:
    """One file of a table. `row` counts over the whole table (`Slice`); `content` is None where it is no text; `about` is
    the title and description of the data of a Kaggle notebook, None where the table has no such columns; `fault` is why a row
    cannot be read."""

    row: int
    repo: str
    path: str
    content: str | None
    language: str
    licenses: tuple[str, ...]
    revision: str | None
    about: tuple[str, str] | None = None
    fault: str = ""


@dataclass(frozen=True)
class Layout:
    """A table as it was found: its slices, and what changes when its content does: `sha256:` of its bytes, or what the
    system that it lies on says of its version."""

    slices: tuple[Slice, ...]
    mark: str


#: Why a line becomes no row.
NOT_A_RECORD = "no JSON object"


def records(part: Slice) -> Iterator[Record]:
    """The files of a slice, in order; a line that is no record, or what cannot be read of a row group, is one with a fault.

    Raises:
        UserError: a table at an address cannot be read.
    """
    given = dict(part.columns)
    for row, values in _rows(part):
        if isinstance(values, str):
            yield Record(row, part.name, f"{row:08d}", None, "", (), None, fault=values)
            continue
        # Columns of Parquet were chosen once; the records of JSON may differ in their keys.
        names = given if part.kind == "parquet" else named(values, given)
        inner = values.get(FILES_COLUMN)
        if "content" in names or not isinstance(inner, list):
            yield _record(part, row, 0, values, names)
            continue
        outer = {key: value for key, value in values.items() if key != FILES_COLUMN}
        for number, one in enumerate(inner):
            if isinstance(one, dict):
                merged = {**outer, **one}
                yield _record(part, row, number, merged, named(merged, {}))


def _record(
    part: Slice, row: int, number: int, values: Mapping[str, Any], names: Mapping[str, str]
) -> Record:
    def text(what: str) -> str:
        value = at(values, names[what]) if what in names else None
        return value if isinstance(value, str) else ""

    found = at(values, names["licenses"]) if "licenses" in names else None
    licenses = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    content = at(values, names["content"]) if "content" in names else None
    if isinstance(content, bytes):
        decoded, _ = decoding.decode(content)
        content = content.decode("utf-8", "replace") if decoded is None else decoded
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


def at(values: Any, name: str) -> Any:
    """What a row has under a name; a dot leads into a structure. None where it has nothing there."""
    for key in [name] if name in values else name.split("."):
        if not isinstance(values, dict):
            return None
        values = values.get(key)
    return values


def named(values: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """Part -> column, of those that a row has."""
    found = dict(given)
    for part, names in COLUMNS.items():
        if part not in found:
            fits = [
                name for name in names if name in values or ("." in name and at(values, name) is not None)
            ]
            if fits:
                found[part] = fits[0]
    return found


def parsed(file: TableFile, row: int, line: bytes) -> dict[str, Any]:
    """The record of a line. Raises UserError with file and line where it is none."""
    place = f"{file}: byte {row:,}" if file.is_remote else f"{file}:{row + 1}"
    if len(line) > MAX_LINE:
        raise BadSource(f"{place}: a line of more than {MAX_LINE:,} bytes is no record")
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadSource(f"{place}: not valid JSON ({one_line(error)[:80]})") from None
    if not isinstance(values, dict):
        raise BadSource(f"{place}: a JSON object is wanted, not {type(values).__name__}")
    return values


def _parsed_or_fault(file: TableFile, row: int, line: bytes) -> dict[str, Any] | str:
    try:
        return parsed(file, row, line)
    except BadSource:
        return NOT_A_RECORD


def _rows(part: Slice) -> Iterator[tuple[int, dict[str, Any] | str]]:
    if part.kind == "parquet":
        yield from _parquet_rows(part)
        return
    row, left = part.first, part.end - part.start
    with opened(part.file) as stream:
        stream.seek(part.start)
        while left > 0 and (line := stream.readline(MAX_LINE + 1)):
            left -= len(line)
            if line.strip():
                yield row, _parsed_or_fault(part.file, row, line)
            row += len(line) if part.file.is_remote else 1


def _values(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | str]:
    """The rows of a batch, or why one is none: one of gigabytes never becomes a string."""
    if batch.nbytes <= MAX_LINE:
        yield from batch.to_pylist()
        return
    for row in range(batch.num_rows):
        one = batch.slice(row, 1)
        yield one.to_pylist()[0] if one.nbytes <= MAX_LINE else f"more than {MAX_LINE:,} bytes"


def _parquet_rows(part: Slice) -> Iterator[tuple[int, dict[str, Any] | str]]:
    row = part.first
    names = dict(part.columns)
    wanted = {name.split(".")[0] for name in names.values()} | (
        set() if "content" in names else {FILES_COLUMN}
    )
    try:
        with parquet(part.file) as file:
            shown = [name for name in file.schema_arrow.names if name in wanted]
            for group in range(part.start, part.end):
                told = file.metadata.row_group(group)
                end = row + told.num_rows
                # Each row of a batch may be the one value of a dictionary that the group stores once.
                size = min(_BATCH_ROWS, max(1, _BATCH_BYTES // max(1, told.total_byte_size)))
                try:
                    for batch in file.iter_batches(size, row_groups=[group], columns=shown):
                        for values in _values(batch):
                            yield row, values
                            row += 1
                except (OSError, pa.ArrowException) as error:
                    if part.file.is_remote:  # the way there may be broken and not the table
                        raise
                    yield row, f"rows {row} to {end - 1} cannot be read ({one_line(error)[:160]})"
                row = end
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{part.file}: row {row} and on cannot be read ({one_line(error)[:160]})") from None
