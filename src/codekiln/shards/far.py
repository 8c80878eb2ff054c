"""Shards at an address: whose they are, which dataset has which, and what may be deleted there.

A run takes an address for itself (`claim`); below it a dataset's shards stand at NAME-KEY, never renamed: making one again
gives the same bytes. The records of a run stay in its folder. What is deleted is what a record there names, and nothing
that another dataset of the same run has.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from codekiln.downloads.addresses import shown
from codekiln.errors import CodekilnError, UserError
from codekiln.progress import say
from codekiln.shards import places
from codekiln.shards.disk import read_json, write_json
from codekiln.shards.store import MANIFEST, OUTPUT_MARK, Dataset

#: In the folder of a run: the addresses that it has taken, each with the word that stands there too.
OWNED = "store.json"
_PREFIX: ContextVar[str | None] = ContextVar("prefix", default=None)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^?#\s]*[^?#\s/]")
#: Systems that nothing can be put on, or that each process has for itself.
_UNFIT = frozenset(["http", "https", "memory", "data"])
_PART = re.compile(r"part-(\d{5,})\.(?:parquet|doing)(?:\.tmp)?")
_SHUFFLED = re.compile(r"shuffle/(\d{5,})-(\d{5,})\.parquet(?:\.tmp)?")


@contextmanager
def storing(address: str | None) -> Iterator[None]:
    """Within it the shards of every dataset that is built go below an address; None: into the dataset's folder."""
    token = _PREFIX.set(address)
    try:
        yield
    finally:
        _PREFIX.reset(token)


@contextmanager
def stored(folder: Path, text: str | None) -> Iterator[None]:
    """`storing` at an address that the run in a folder takes for itself; nothing where there is none.

    Raises as `claim`.
    """
    with storing(claim(folder, text) if text is not None else None):
        yield


def home(name: str, key: str) -> str | None:
    """The address for the shards of a stage; None where they go into the dataset's folder."""
    prefix = _PREFIX.get()
    return f"{prefix}/{re.sub(r'[^A-Za-z0-9_.-]+', '-', name)}-{key[:16]}" if prefix else None


def checked(text: str) -> str:
    """An address for shards without the slashes at its end.

    Raises:
        UserError: it is none, or none for shards.
    """
    address = text.rstrip("/")
    scheme = address.partition("://")[0].lower()
    if not _ADDRESS.fullmatch(address):
        raise UserError(f"--shards {shown(text)}: write it as an address, such as s3://BUCKET/PREFIX")
    if scheme in _UNFIT:
        raise UserError(
            f"--shards {shown(text)}: shards cannot be kept at {scheme}://; give an object store, such as s3://"
        )
    if scheme == "file" and not address.startswith("file:///"):
        raise UserError(
            f"--shards {shown(text)}: write the path out, file:///…; workers have another folder of their own"
        )
    if ":" in address.partition("://")[2].partition("/")[0].rpartition("@")[0]:
        raise UserError(
            f"--shards {shown(text)}: it holds a password, which would stand in records; give that to the driver"
        )
    return address


def claim(folder: Path, text: str) -> str:
    """Take an address for the run in a folder, and return it; nothing else may be written there by another run.

    Raises:
        UserError: it is no address, cannot be written to, or belongs to another run.
        RunError: it cannot be reached.
    """
    address = checked(text)
    if address.startswith("file://") and Path(address.removeprefix("file://")).resolve() == folder.resolve():
        raise UserError(
            f"--shards {shown(text)}: it is the folder of the run itself; leave --shards out, or name another"
        )
    mark = f"{address}/{OUTPUT_MARK}"
    owned = _owned(folder)
    found = places.read(mark)
    if found is None:
        owned.setdefault(address, uuid.uuid4().hex)
        write_json(folder / OWNED, owned)
        places.write(mark, owned[address].encode())
    elif found.decode("utf-8", "replace") != owned.get(address):
        raise UserError(
            f"--shards {shown(address)}: it holds the shards of another folder; give an address of its own, or "
            f"delete {shown(mark)} where that folder is gone"
        )
    return address


def _owned(folder: Path) -> dict[str, str]:
    record: Any = read_json(folder / OWNED) if (folder / OWNED).exists() else {}
    if not isinstance(record, dict) or not all(isinstance(word, str) for word in record.values()):
        raise UserError(f"{folder / OWNED} is not what codekiln wrote; delete it and give another --shards")
    return record


def shards_of(folder: Path) -> dict[str, tuple[int, str]]:
    """Relative path -> (size, SHA-256) of the shards that datasets below a folder have at addresses."""
    found: dict[str, tuple[int, str]] = {}
    for inner, _ in _records(folder):
        for shard in Dataset.open(inner).manifest.shards:
            found[(inner / shard.name).relative_to(folder).as_posix()] = (shard.bytes, shard.sha256)
    return found


def sizes_of(folder: Path) -> dict[str, int]:
    """Relative path -> size of the shards that datasets below a folder have at addresses, as they stand there now.

    Raises:
        UserError, RunError: an address cannot be listed.
    """
    return {
        (inner / name).relative_to(folder).as_posix(): size
        for inner, record in _records(folder)
        for name, size in places.listing(record["address"]).items()
    }


def tidy(folder: Path) -> None:
    """Delete what was there only while the dataset in a folder was made. What cannot be deleted is said, and stays."""
    record = places.record_of(folder)
    if record:
        _delete(record, re.compile(r"part-\d+\.parquet|" + re.escape(MANIFEST)))


def forget(folder: Path) -> None:
    """Delete the shards at addresses of all datasets below a folder that is about to be removed.

    Those that another folder of the same run names stay. What cannot be deleted is said, and stays.
    """
    records = {record["address"]: record for _, record in _records(folder)}
    if not records:
        return
    folder = folder.absolute()
    root = next((place for place in folder.parents if (place / OUTPUT_MARK).exists()), folder.parent)
    for inner, record in _records(root):
        if not inner.is_relative_to(folder):
            records.pop(record["address"], None)
    for _, record in sorted(records.items()):
        _delete(record)


def _delete(record: dict[str, Any], keep: re.Pattern[str] | None = None) -> None:
    try:
        names = [name for name in _ours(record) if not (keep and keep.fullmatch(name))]
        places.remove(record["address"], names)
    except CodekilnError as error:
        say(f"{error}; what is needed no more stays there: delete it yourself")


def _records(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """(folder, record) of each dataset below a folder whose shards are at an address."""
    found = ((path.parent, places.record_of(path.parent)) for path in sorted(folder.rglob(places.RECORD)))
    return [(inner, record) for inner, record in found if record]


def _ours(record: dict[str, Any]) -> list[str]:
    """The names below a dataset's address that its making has written."""
    names = []
    for name in places.listing(record["address"]):
        part, shuffled = _PART.fullmatch(name), _SHUFFLED.fullmatch(name)
        if (
            name == MANIFEST
            or (part and int(part[1]) < record["parts"])
            or (shuffled and int(shuffled[1]) < record["shuffled"] and int(shuffled[2]) < record["parts"])
        ):
            names.append(name)
    return names
