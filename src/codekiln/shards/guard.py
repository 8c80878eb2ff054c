"""A file that kills a worker costs that file, not the run: tasks say which item they are at.

A task's journal is a file beside its shard. It is there while the task is under way and holds the name of the item that
is being worked on, so that whoever finds it after a death knows what to try alone, and what to leave out. Beside a shard
at an address it is an object, which names items only while a task is tried alone: each name is a request.

An item that a worker does not get done dies of it: the processor time of each is limited, in workers alone.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from codekiln.errors import CodekilnError, one_line
from codekiln.shards import places
from codekiln.shards.disk import disk_errors
from codekiln.shards.places import Place

#: Longer names are cut: a path of the file systems at hand has at most 4,096 bytes.
_LENGTH = 8192
#: Processor time of one item, in seconds: a file of a megabyte takes less than one.
ITEM_SECONDS = 300.0


class _Journal:
    write: Callable[[bytes], object] | None = None
    excluded: Collection[str] = ()
    alone = False
    failed: dict[str, str] | None = None


class _Process:
    expendable = False


def expend() -> None:
    """Say that this process is a worker, whose death costs no more than what it works on."""
    _Process.expendable = True


def limit(seconds: float) -> None:
    """Let this process die when it has used so much processor time from now on, if it is a worker; 0 lifts the limit.

    By a signal whose default is death, which no loop in C can hold off. That of `enter` and `leave` takes its place.
    """
    if _Process.expendable:
        signal.setitimer(signal.ITIMER_PROF, seconds)


def alone() -> bool:
    """Whether the task is tried by itself, after deaths: what is tried with others else is to be tried item by item."""
    return _Journal.alone


def fail(name: str, error: Exception) -> None:
    """Note that an item could not be made; outside a task of the kernel the error is raised."""
    if _Journal.failed is None:
        raise error
    _Journal.failed[_short(name)] = one_line(error)[:160] or type(error).__name__


def enter(name: str) -> bool:
    """Say that an item is begun; False when a worker died on it twice and it is to be left out.

    Outside a task of the kernel nothing is said and nothing left out.
    """
    if _short(name) in _Journal.excluded:
        return False
    _write(_short(name))
    limit(ITEM_SECONDS)
    return True


def leave() -> None:
    """Say that no item is being worked on: a death from here on is nobody's fault."""
    limit(0)
    _write("")


@contextmanager
def journal(place: Place | None, excluded: Collection[str], alone: bool = False) -> Iterator[dict[str, str]]:
    """Keep a task's journal at `place` while it runs; removed when it ends in any way but death.

    Yields what `fail` notes: the reason of each item. Without a place nothing is written.
    `alone`: the task is tried by itself, after a death.
    """
    failed: dict[str, str] = {}
    with _written(place, alone) as write:
        _Journal.write, _Journal.excluded = write, frozenset(excluded)
        _Journal.alone, _Journal.failed = alone, failed
        try:
            yield failed
        finally:
            limit(0)
            _Journal.write, _Journal.excluded = None, ()
            _Journal.alone, _Journal.failed = False, None


def _written(place: Place | None, alone: bool) -> AbstractContextManager[Callable[[bytes], object] | None]:
    if place is None:
        return nullcontext()
    return _file(place) if isinstance(place, Path) else _object(place, alone)


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
