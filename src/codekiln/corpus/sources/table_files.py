"""The file of a table, on disk or at an address: what its name says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

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

#: Bytes of a line that are looked at to tell a table from a document.
_LINE = 8 * 1024**2


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


def stem(name: str) -> str:
    """A table's file name without its suffix."""
    suffix = suffix_of(name) or (".json" if name.lower().endswith(".json") else "")
    return name[: len(name) - len(suffix)]


def holds_records(path: Path) -> bool:
    """Whether a file called `.json` is a table of lines, events of GitHub or records with a content: its first two lines
    are each an object of their own, which no JSON document is."""
    if not path.name.lower().endswith(".json"):
        return False
    try:
        with open(path, "rb") as stream:
            head = [stream.readline(_LINE), stream.readline(_LINE)]
        first, second = (json.loads(line) for line in head)
    except (OSError, ValueError, RecursionError):
        return False
    if not isinstance(first, dict) or not isinstance(second, dict):
        return False
    return {"type", "repo", "payload"} <= {*first} or isinstance(first.get("content"), str)


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
