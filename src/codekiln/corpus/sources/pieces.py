"""Pieces: what sources are read in, and how an earlier build's rows of a piece that has not changed are taken over.

A piece is a run of one source's files or commits, a slice of a table, or a part of the conversations; a shard is one piece
or several. What a piece was made of is in its key. `pieces.json` beside the datasets tells which rows of which shard came of which key; it is a help to the
next build alone and no part of any hash.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa

from codekiln.corpus.sources import commits, conversations, reading, table_reading
from codekiln.errors import CodekilnError
from codekiln.shards import Dataset
from codekiln.shards.places import Place
from codekiln.shards.store import canonical_json, read_json, read_sound, write_bytes

RECORD = "pieces.json"
#: Raise it when `pieces.json` is written otherwise.
_LAYOUT = 1
#: Reasons that may be gone at the next look although nothing that a key names has changed. What a worker died on is tried
#: again too: it may have died of too little memory.
_PASSING = frozenset({reading.CHANGED, reading.MISSING, reading.KILLED, commits.UNREADABLE, commits.MISSING})
#: How far a file's clock may be behind this one's: file systems stamp with the time of the last tick.
_TICK_NS = 20_000_000

Task: TypeAlias = (
    "reading.Batch | table_reading.TableBatch | commits.CommitBatch | conversations.ConversationBatch"
)


@dataclass(frozen=True)
class Made:
    """Rows of an earlier build: `count` of a shard from `start`, and what they counted there."""

    shard: Place
    sha256: str
    start: int
    count: int
    counters: dict[str, int]


@dataclass(frozen=True)
class Piece:
    """`key` is a SHA-256 in hex over all that the rows depend on, "" for what is always read anew.

    `files` and `skipped` are the rows that an earlier build made of the same key.
    """

    task: Task
    key: str
    files: Made | None = None
    skipped: Made | None = None


#: The task of one shard: its number, and its pieces in order.
Shard: TypeAlias = "tuple[int, tuple[Piece, ...]]"
#: Of each piece of a shard: key ("" for what is to be read anew next time), rows, and what they counted.
Noted: TypeAlias = "list[tuple[str, int, dict[str, int]]]"


def earlier_pieces(sources: Path | None) -> dict[str, dict[str, Made]]:
    """By key what a finished sources stage made of it: its rows of `files` and of `skipped`; empty where nothing is."""
    if sources is None or not (sources / RECORD).exists():
        return {}
    found: dict[str, dict[str, Made]] = {}
    try:
        record = read_json(sources / RECORD)
        for name in ("files", "skipped"):
            dataset = Dataset.open(sources / name)
            # The first shard of `skipped` is of no piece.
            first = 1 if name == "skipped" else 0
            shards = list(zip(dataset.shard_paths, dataset.manifest.shards))[first:]
            if record["layout"] != _LAYOUT or record[name]["hash"] != dataset.content_hash:
                return {}
            for (place, info), pieces in zip(shards, record[name]["shards"], strict=True):
                start = 0
                for key, count, counters in pieces:
                    made = Made(place, info.sha256, start, count, counters)
                    found.setdefault(key, {})[name] = made
                    start += count
    except (CodekilnError, KeyError, TypeError, ValueError):
        return {}
    return {key: made for key, made in found.items() if key and len(made) == 2}


def known(piece: Piece, earlier: dict[str, dict[str, Made]]) -> Piece:
    """A piece with the rows that an earlier build has of it."""
    made = earlier.get(piece.key)
    return replace(piece, files=made["files"], skipped=made["skipped"]) if piece.key and made else piece


def make_files(seen_ns: int, shard: Shard) -> tuple[pa.Table, dict[str, int], Noted]:
    """The rows of `files` of a shard, what they count, and what came of which piece.

    Args:
        seen_ns: when the keys were made, by the clock. A piece of which a file has changed since is not noted.
    """

    def read(piece: Piece) -> tuple[pa.Table, dict[str, int], bool]:
        table, counters = _read_files(piece.task)
        return table, counters, not (_changed_since(piece.task, seen_ns) or counters.get(commits.LESS))

    return _make(shard, read, lambda piece: piece.files)


def make_skipped(shard: Shard) -> tuple[pa.Table, dict[str, int], Noted]:
    """The rows of `skipped` of a shard whose pieces hold what did not become rows of `files`."""

    def read(piece: Piece) -> tuple[pa.Table, dict[str, int], bool]:
        table = _read_skipped(piece.task)
        return table, {}, _PASSING.isdisjoint(table["reason"].to_pylist())

    return _make(shard, read, lambda piece: piece.skipped)


def _read_files(task: Task) -> tuple[pa.Table, dict[str, int]]:
    if isinstance(task, reading.Batch):
        return reading.read_files(task)
    if isinstance(task, table_reading.TableBatch):
        return table_reading.read_files(task)
    if isinstance(task, commits.CommitBatch):
        return commits.read_files(task)
    return conversations.read_files(task)


def _read_skipped(task: Task) -> pa.Table:
    if isinstance(task, reading.Batch):
        return reading.read_skipped(task)
    if isinstance(task, table_reading.TableBatch):
        return table_reading.read_skipped(task)
    if isinstance(task, commits.CommitBatch):
        return commits.read_skipped(task)
    return conversations.read_skipped(task)


_Read: TypeAlias = Callable[[Piece], "tuple[pa.Table, dict[str, int], bool]"]


def _make(
    shard: Shard, read: _Read, of: Callable[[Piece], Made | None]
) -> tuple[pa.Table, dict[str, int], Noted]:
    _, pieces = shard
    tables: list[pa.Table] = []
    notes: Noted = []
    total = Counter[str]()
    opened: dict[Place, pa.Table | None] = {}
    for piece in pieces:
        made, key = of(piece), piece.key
        table = _rows(made, opened) if made else None
        if made and table is not None:
            counters = made.counters
        else:
            table, counters, lasting = read(piece)
            key = key if lasting else ""
        tables.append(table)
        notes.append((key, table.num_rows, counters))
        total.update(counters)
    # One piece: how a column is cut in memory shows in the bytes of its file.
    return pa.concat_tables(tables).combine_chunks(), dict(total), notes


def _rows(made: Made, opened: dict[Place, pa.Table | None]) -> pa.Table | None:
    """The rows of an earlier build; None when its shard is not as it was written."""
    if made.shard not in opened:
        opened.clear()  # pieces come in the order of the shards: one table is enough
        opened[made.shard] = read_sound(made.shard, made.sha256)
    table = opened[made.shard]
    return None if table is None else table.slice(made.start, made.count)


def _changed_since(task: Task, moment_ns: int) -> bool:
    """Whether a file that was just read may be another than the one that was hashed."""
    if isinstance(task, table_reading.TableBatch):
        # An address is asked for its mark at every reading.
        file = task.part.file
        return not file.is_remote and _changed_at(file.where) >= moment_ns - _TICK_NS
    if not isinstance(task, reading.Batch):
        return False  # named by what they hold: ids of commits, the hash of a shard
    for part in task.parts:
        root = part.source.root
        if part.source.kind == "folder":
            paths: Iterable[str] = (os.path.join(root, candidate.path) for candidate in part.candidates)
        else:
            paths = [root] if part.source.kind == "archive" else []
        if any(_changed_at(path) >= moment_ns - _TICK_NS for path in paths):
            return True
    return False


def _changed_at(path: str) -> int:
    """When a file or its name was last changed, in nanoseconds; a file that is gone has changed now."""
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return 2**63
    return max(found.st_mtime_ns, found.st_ctime_ns)


def noting(folder: Path, name: str) -> Callable[[int, Noted | None], None]:
    """What keeps the notes of a dataset's shards, by number, until all are made."""

    def keep(number: int, notes: Noted | None) -> None:
        if notes is not None:
            write_bytes(_noted(folder, name, number), canonical_json(notes).encode())

    return keep


def _noted(folder: Path, name: str, number: int) -> Path:
    return folder / f"{name}.pieces" / f"{number:05d}.json"


def note(folder: Path, files: Dataset, skipped: Dataset, shards: Sequence[Shard]) -> None:
    """Write `pieces.json` from what was noted; nothing where a note is missing."""
    record: dict[str, Any] = {"layout": _LAYOUT}
    for name, dataset in (("files", files), ("skipped", skipped)):
        # The first shard of `skipped` is of no piece.
        first = 1 if name == "skipped" else 0
        places = [_noted(folder, name, first + number) for number, _ in shards]
        if not all(place.exists() for place in places):
            return
        record[name] = {"hash": dataset.content_hash, "shards": [read_json(place) for place in places]}
    write_bytes(folder / RECORD, canonical_json(record).encode())
    for name in ("files", "skipped"):
        shutil.rmtree(folder / f"{name}.pieces", ignore_errors=True)
