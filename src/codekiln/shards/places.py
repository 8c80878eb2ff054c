"""Where a shard lies: at a local path, or at an address that a driver of fsspec knows (s3://, gs://, az://, file:// …).

An object at an address is there whole or not at all, and is never renamed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any, TypeAlias, cast

from codekiln.downloads.addresses import shown
from codekiln.downloads.stores import faults, system_of

#: A local path, or an address as text.
Place: TypeAlias = "Path | str"
#: In the folder of a dataset: at which address its shards are, where they are not in the folder.
RECORD = "shards.json"
#: Systems whose folders need not be made; on s3 the driver would make a bucket.
_WITHOUT_FOLDERS = frozenset(["s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "memory"])
_NOTHING = "nothing is there (a bucket that is missing, or an object that was deleted); check the address"


def is_address(place: Place) -> bool:
    """Whether a place is an address, and no path."""
    return isinstance(place, str) and "://" in place


def place_of(text: str) -> Place:
    """The place that `str` of a place stands for."""
    return text if is_address(text) else Path(text)


def join(place: Place, name: str) -> Place:
    """The place of a name below another place."""
    return place / name if isinstance(place, Path) else f"{place}/{name}"


def address_of(folder: Path) -> str | None:
    """The address of the shards of the dataset in a folder; None where they are in the folder."""
    found = record_of(folder)
    return found["address"] if found else None


def record_of(folder: Path) -> dict[str, Any] | None:
    """What the dataset in a folder says of its shards: `address`, `parts` (how many), `shuffled` (from how many)."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    ours = isinstance(record, dict) and isinstance(record.get("address"), str)
    ours = ours and all(type(record.get(name)) is int for name in ("parts", "shuffled"))
    return record if ours else None


def said(address: str) -> str:
    """An address in a message."""
    return f"shards at {shown(address)}"


def reaching(address: str, verb: str = "read") -> AbstractContextManager[None]:
    """Errors of a driver as one line: UserError for what the user can mend, else RunError."""
    return faults(address, said(address), nothing=_NOTHING, verb=verb)


def opened(address: str) -> IO[bytes]:
    """The bytes at an address, seekable; only what is read is fetched.

    Raises whatever the driver does: use it within `reaching`.
    """
    system, path = system_of(address, said(address))
    # Columns lie far apart and Arrow joins what is near: a buffer would only fetch what nobody asked for.
    return cast("IO[bytes]", system.open(path, "rb", cache_type="none"))


def read(address: str) -> bytes | None:
    """All bytes at an address; None where no such object is.

    Raises:
        UserError: no driver, no login, access denied.
        RunError: the system cannot be reached.
    """
    with reaching(address):
        system, path = system_of(address, said(address))
        try:
            return bytes(system.cat_file(path))
        except FileNotFoundError:
            return None


def write(address: str, data: bytes) -> None:
    """Put bytes at an address. Raises as `read`, and UserError where there is no such bucket."""
    with reaching(address, "written"):
        system, path = system_of(address, said(address))
        names = _protocols(system)
        if names.isdisjoint(_WITHOUT_FOLDERS):
            system.makedirs(path.rpartition("/")[0], exist_ok=True)
        if "file" not in names:
            system.pipe_file(path, data)
            return
        # Drivers of object stores show an object when it is whole; that of local files does not.
        system.pipe_file(f"{path}.tmp", data)
        system.mv(f"{path}.tmp", path)


def listing(address: str) -> dict[str, int]:
    """Name (relative) -> size in bytes of every object below an address. Raises as `read`."""
    with reaching(address, "listed"):
        system, path = system_of(address, said(address))
        system.invalidate_cache()
        try:
            found = system.find(path, detail=True)
        except FileNotFoundError:
            return {}
        start = len(path.rstrip("/")) + 1
        return {str(name)[start:]: int(info.get("size") or 0) for name, info in sorted(found.items())}


def remove(address: str, names: Iterable[str]) -> None:
    """Delete objects by their names below an address; those that are not there are passed over. Raises as `read`."""
    wanted = list(names)
    if not wanted:
        return
    with reaching(address, "deleted"):
        system, path = system_of(address, said(address))
        for at in range(0, len(wanted), 1000):
            _remove(system, [f"{path.rstrip('/')}/{name}" for name in wanted[at : at + 1000]])


def _remove(system: Any, paths: list[str]) -> None:
    try:
        system.rm(paths)
    except FileNotFoundError:
        for path in paths:
            if system.exists(path):
                system.rm_file(path)


def _protocols(system: Any) -> set[str]:
    names = system.protocol
    return {names} if isinstance(names, str) else set(names)
