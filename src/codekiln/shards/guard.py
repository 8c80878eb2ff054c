"""A file that kills a worker costs that file, not the run: tasks say which item they are at.

A task's journal is a file beside its shard. It is there while the task is under way and holds the name of the item that
is being worked on, so that whoever finds it after a death knows what to try alone, and what to leave out.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from codekiln.shards.store import disk_errors

#: Longer names are cut: a path of the file systems at hand has at most 4,096 bytes.
_LENGTH = 8192


class _Journal:
    file: int | None = None
    excluded: Collection[str] = ()


def enter(name: str) -> bool:
    """Say that an item is begun; False when a worker died on it twice and it is to be left out.

    Outside a task of the kernel nothing is said and nothing left out.
    """
    if _short(name) in _Journal.excluded:
        return False
    _write(_short(name))
    return True


def leave() -> None:
    """Say that no item is being worked on: a death from here on is nobody's fault."""
    _write("")


@contextmanager
def journal(path: Path, excluded: Collection[str]) -> Iterator[None]:
    """Keep a task's journal at `path` while it runs; removed when it ends in any way but death."""
    with disk_errors(path):
        _Journal.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    _Journal.excluded = frozenset(excluded)
    try:
        yield
    finally:
        os.close(_Journal.file)
        _Journal.file, _Journal.excluded = None, ()
        with suppress(FileNotFoundError):
            path.unlink()


def last_entered(path: Path) -> str:
    """The item that a journal names; "" for none, or where there is no journal."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return ""
    return data.partition(b"\0")[0].decode("utf-8", "surrogatepass")


def _write(name: str) -> None:
    if _Journal.file is not None:
        with suppress(OSError):  # a full disk: the shard will say so, and nobody is to blame
            os.pwrite(_Journal.file, name.encode("utf-8", "surrogatepass") + b"\0", 0)


def _short(name: str) -> str:
    return name[:_LENGTH]
