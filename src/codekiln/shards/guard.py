"""A file that kills a worker costs that file, not the run: tasks say which item they are at.

A task's journal is a file beside its shard. It is there while the task is under way and holds the name of the item that
is being worked on, so that whoever finds it after a death knows what to try alone, and what to leave out. Beside a shard
at an address it is an object, which names items only while a task is tried alone: each name is a request.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from codekiln.errors import CodekilnError
from codekiln.shards import places
from codekiln.shards.places import Place
from codekiln.shards.store import disk_errors

#: Longer names are cut: a path of the file systems at hand has at most 4,096 bytes.
_LENGTH = 8192


class _Journal:
    write: Callable[[bytes], object] | None = None
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
def journal(place: Place, excluded: Collection[str], alone: bool = False) -> Iterator[None]:
    """Keep a task's journal at `place` while it runs; removed when it ends in any way but death.

    `alone`: the task is tried by itself, after a death.
    """
    with _file(place) if isinstance(place, Path) else _object(place, alone) as write:
        _Journal.write, _Journal.excluded = write, frozenset(excluded)
        try:
            yield
        finally:
            _Journal.write, _Journal.excluded = None, ()


@contextmanager
def _file(path: Path) -> Iterator[Callable[[bytes], object]]:
    with disk_errors(path):
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        yield lambda text: os.pwrite(file, text, 0)
    finally:
        os.close(file)
        with suppress(FileNotFoundError):
            path.unlink()


@contextmanager
def _object(address: str, alone: bool) -> Iterator[Callable[[bytes], object]]:
    places.write(address, b"")
    try:
        yield lambda text: places.write(address, text) if alone else None
    finally:
        folder, _, name = address.rpartition("/")
        with suppress(CodekilnError):  # one that stays costs a try alone, after a kill
            places.remove(folder, [name])


def last_entered(place: Place) -> str:
    """The item that a journal names; "" for none, or where there is no journal."""
    try:
        data = place.read_bytes() if isinstance(place, Path) else places.read(place) or b""
    except FileNotFoundError:
        return ""
    return data.partition(b"\0")[0].decode("utf-8", "surrogatepass")


def _write(name: str) -> None:
    if _Journal.write is not None:
        with suppress(OSError, CodekilnError):  # a full disk: the shard will say so, and nobody is to blame
            _Journal.write(name.encode("utf-8", "surrogatepass") + b"\0")


def _short(name: str) -> str:
    return name[:_LENGTH]
