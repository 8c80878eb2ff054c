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
from codekiln.shards.disk import canonical_json, disk_errors, read_json, write_bytes
from codekiln.shards.places import Place
from codekiln.shards.store import read_shard, read_sound, write_shard
from codekiln.shards.tables import SKIPPED

RECORD = "pieces.json"
#: Beside the datasets until all are made.
_NOTES = "files.pieces"
#: Raise it when `pieces.json` is written otherwise.
_LAYOUT = 1
#: Reasons that may be gone at the next look although nothing that a key names has changed. What a worker died on is tried
#: again too: it may have died of too little memory.
_PASSING = frozenset({reading.MISSING, reading.KILLED, commits.UNREADABLE, commits.MISSING})
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


@dataclass(frozen=True)
class Noted:
    """What a shard of `files` leaves to be kept beside it.

    `lines` are, of each piece: key ("" for what is to be read anew next time), rows of `files`, what they counted, and
    rows of `skipped`, the table that follows.
    """

    lines: list[tuple[str, int, dict[str, int], int]]
    skipped: pa.Table


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
    """The rows of `files` of a shard, what they count, and what is to be noted of its pieces.

    Args:
        seen_ns: when the keys were made, by the clock. A piece of which a file has changed since is not noted.
    """
    _, pieces = shard
    made: list[reading.Read] = []
    keys: list[str] = []
    taken = _Earlier()
    for piece in pieces:
        found, key = taken.rows(piece), piece.key
        if found is None:
            found = _read(piece.task)
            passing = not _PASSING.isdisjoint(found[2]["reason"].to_pylist())
            if passing or _changed_since(piece.task, seen_ns) or found[1].get(commits.LESS):
                key = ""
        made.append(found)
        keys.append(key)
    # One piece: how a column is cut in memory shows in the bytes of its file.
    files, skipped = (pa.concat_tables([one[at] for one in made]).combine_chunks() for at in (0, 2))
    total = Counter[str]()
    for _, counters, _ in made:
        total.update(counters)
    lines = [(key, one[0].num_rows, one[1], one[2].num_rows) for key, one in zip(keys, made)]
    return files, dict(total), Noted(lines, skipped)


def make_skipped(folder: Path, number: int) -> pa.Table:
    """The rows of `skipped` that were kept when the shard of a number was made."""
    return read_shard(_noted(folder, number).with_suffix(".parquet"))


def _read(task: Task) -> reading.Read:
    if isinstance(task, reading.Batch):
        return reading.read(task)
    if isinstance(task, table_reading.TableBatch):
        return table_reading.read(task)
    if isinstance(task, commits.CommitBatch):
        return commits.read(task)
    return conversations.read(task)


class _Earlier:
    """Rows of an earlier build; pieces come in the order of its shards, so that one table of each dataset is enough."""

    def __init__(self) -> None:
        self._opened: dict[str, tuple[Place, pa.Table | None]] = {}

    def rows(self, piece: Piece) -> reading.Read | None:
        """What is known of a piece; None where nothing is, or a shard is not as it was written."""
        if piece.files is None or piece.skipped is None:
            return None
        files, skipped = self._slice("files", piece.files), self._slice("skipped", piece.skipped)
        return None if files is None or skipped is None else (files, piece.files.counters, skipped)

    def _slice(self, name: str, made: Made) -> pa.Table | None:
        if name not in self._opened or self._opened[name][0] != made.shard:
            self._opened[name] = (made.shard, read_sound(made.shard, made.sha256))
        table = self._opened[name][1]
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


def keeping(folder: Path) -> Callable[[int, Noted | None], None]:
    """What keeps the notes of the shards of `files`, by number, until all are made: rows of `skipped`, then the lines."""

    def keep(number: int, noted: Noted | None) -> None:
        if noted is not None:
            place = _noted(folder, number)
            with disk_errors(place):
                place.parent.mkdir(parents=True, exist_ok=True)
            write_shard(noted.skipped, place.with_suffix(".parquet"), SKIPPED, {})
            write_bytes(place, canonical_json(noted.lines).encode())

    return keep


def _noted(folder: Path, number: int) -> Path:
    return folder / _NOTES / f"{number:05d}.json"


def note(folder: Path, files: Dataset, skipped: Dataset, shards: Sequence[Shard]) -> None:
    """Write `pieces.json` from what was kept; nothing where a note is missing."""
    places = [_noted(folder, number) for number, _ in shards]
    if not all(place.exists() for place in places):
        return
    noted = [read_json(place) for place in places]
    record: dict[str, Any] = {
        "layout": _LAYOUT,
        "files": {
            "hash": files.content_hash,
            "shards": [[[key, rows, counters] for key, rows, counters, _ in one] for one in noted],
        },
        "skipped": {
            "hash": skipped.content_hash,
            "shards": [[[key, rows, {}] for key, _, _, rows in one] for one in noted],
        },
    }
    write_bytes(folder / RECORD, canonical_json(record).encode())
    shutil.rmtree(folder / _NOTES, ignore_errors=True)
