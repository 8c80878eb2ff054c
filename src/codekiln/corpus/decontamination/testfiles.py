"""Reading test sets and the user's own texts from local files into a table of texts."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from codekiln.corpus.decontamination.index import TEXTS
from codekiln.corpus.decontamination.testsets import item_name, known_file
from codekiln.errors import UserError, one_line

#: A test set that unpacks to more than this is none (bytes).
MOST_BYTES = 4 * 1024**3
_ROWS = (".jsonl", ".ndjson", ".json", ".parquet", ".csv", ".tsv")
_DEPTH = 64


def split_against(text: str) -> tuple[Path, tuple[str, ...] | None]:
    """`PATH` or `PATH:field,field` (fields may be joined by `+`) as (path, fields); None means not given.

    Raises:
        UserError: nothing stands at the path.
    """
    path = Path(text).expanduser()
    if text and path.exists():
        return path, None
    head, colon, tail = text.rpartition(":")
    fields = tuple(part.strip() for part in tail.split(",") if part.strip())
    if colon and head and fields and Path(head).expanduser().exists():
        return Path(head).expanduser(), fields
    raise UserError(f"test data {text}: no such file or folder; give PATH or PATH:field,field")


def files_against(texts: Sequence[str]) -> list[tuple[Path, tuple[str, ...] | None]]:
    """The files that `--against` values name, with their fields: a folder stands for the known test sets in it.

    Raises:
        UserError: a path does not exist, or a folder holds no file of a known test set.
    """
    found: list[tuple[Path, tuple[str, ...] | None]] = []
    for text in texts:
        path, given = split_against(text)
        if not path.is_dir():
            found.append((path, given))
            continue
        inside = sorted(
            Path(folder) / name
            for folder, folders, names in os.walk(path)
            for name in names
            if given or known_file((Path(folder) / name).as_posix())
        )
        if given:
            inside = [one for one in inside if row_format(one)]
        if not inside:
            raise UserError(
                f"test data {text}: no file of a known test set in it; give a file, with its fields as PATH:field,field"
            )
        found += [(one, given) for one in inside]
    return list(dict.fromkeys(found))


def read_texts(files: Sequence[tuple[Path, tuple[str, ...] | None]]) -> pa.Table:
    """The texts of some files as a table (schema TEXTS).

    Without fields, a file of a known test set gives those that `testsets` declares, other rows all their texts, and a
    file of no row format is one text. The benchmark of a file that is not known is its name.

    Raises:
        UserError: a file cannot be read or parsed, or none of its rows has the given fields.
    """
    columns: dict[str, list[str]] = {name: [] for name in TEXTS.names}
    for path, given in files:
        before = len(columns["text"])
        for entry in _entries(path, given):
            for name, value in zip(TEXTS.names, entry):
                columns[name].append(value)
        if len(columns["text"]) == before:
            asked = f" in the fields {', '.join(given)}" if given else ""
            raise UserError(f"{path}: no text{asked}; give its fields as PATH:field,field")
    return pa.table(columns, schema=TEXTS)


def row_format(path: Path) -> bool:
    """Whether a file holds rows (by its name)."""
    return _kind(path) in _ROWS


def _entries(path: Path, given: tuple[str, ...] | None) -> Iterator[tuple[str, str, str, str]]:
    known = known_file(path.absolute().as_posix())
    if not row_format(path):
        yield path.name, path.name, "text", _decoded(b"".join(_pieces(path)), path)
        return
    benchmark = known[0] if known else path.name
    fields = given or (known[1] if known else None)
    for number, row in enumerate(_rows(path), 1):
        if not isinstance(row, dict):
            row = {"text": row}
        name = item_name(row, number)
        if fields is None:
            chosen = [(key, _flat(value)) for key, value in row.items()]
        else:
            chosen = [(field, _joined(row, field)) for field in fields]
        for field, text in chosen:
            if text.strip():
                yield benchmark, name, field, text


def _joined(row: dict[str, Any], field: str) -> str:
    parts = [_flat(_value(row, key)) for key in field.split("+")]
    return "".join(parts) if field.startswith(("prompt+", "complete_prompt+")) else "\n".join(parts)


def _value(row: Any, key: str) -> Any:
    if isinstance(row, dict) and key in row:
        return row[key]
    head, dot, rest = key.partition(".")
    return _value(row.get(head), rest) if dot and isinstance(row, dict) else None


def _flat(value: Any, depth: int = 0) -> str:
    """The text in a value: of lists and dictionaries that of their values, one behind the other."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float) or value is None or depth > _DEPTH:
        return ""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return "\n".join(text for one in inner if (text := _flat(one, depth + 1)))


def _kind(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in (".gz", ".xz"):
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _rows(path: Path) -> Iterator[Any]:
    kind = _kind(path)
    if kind == ".parquet":
        try:
            yield from pq.read_table(path).to_pylist()
        except (OSError, pa.ArrowException) as error:
            raise UserError(f"{path} is no readable Parquet file ({one_line(error)[:120]})") from None
        return
    if kind in (".jsonl", ".ndjson"):
        for number, line in enumerate(_lines(path), 1):
            if line.strip():
                yield _parsed(line, f"{path}, line {number}")
        return
    text = _decoded(b"".join(_pieces(path)), path)
    if kind == ".json":
        document = _parsed(text, str(path))
        yield from document if isinstance(document, list) else [document]
        return
    csv.field_size_limit(2**31 - 1)
    try:
        yield from csv.DictReader(io.StringIO(text), delimiter="\t" if kind == ".tsv" else ",")
    except csv.Error as error:
        raise UserError(f"{path} is no readable table ({one_line(error)})") from None


def _parsed(text: str | bytes, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place} is no JSON ({one_line(error)[:120]})") from None


def _lines(path: Path) -> Iterator[bytes]:
    rest = b""
    for piece in _pieces(path):
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
    yield rest


def _pieces(path: Path) -> Iterator[bytes]:
    """The unpacked bytes of a file, piece by piece, at most MOST_BYTES in all."""
    size = 0
    try:
        with _opened(path) as stream:
            while piece := stream.read(1 << 24):
                size += len(piece)
                if size > MOST_BYTES:
                    raise UserError(f"{path} unpacks to more than {MOST_BYTES} bytes; it is no test set")
                yield piece
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise UserError(f"{path} cannot be read ({one_line(error)[:120]})") from None


def _opened(path: Path) -> IO[bytes]:
    packed: Any = {".gz": gzip.open, ".xz": lzma.open}.get(path.suffix.lower(), open)
    stream: IO[bytes] = packed(path, "rb")
    return stream


def _decoded(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text") from None
