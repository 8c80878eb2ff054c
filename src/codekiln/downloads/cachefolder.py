"""codekiln's cache folder: where it is, one writer at a time, and whether the network may be used.

`$CODEKILN_CACHE`, else `$XDG_CACHE_HOME/codekiln`, else `~/.cache/codekiln`.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from codekiln.errors import RunError
from codekiln.progress import say


def cache_root() -> Path:
    """The root of the cache; it need not exist."""
    own = os.environ.get("CODEKILN_CACHE")
    if own:
        return Path(os.path.expanduser(own))
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "codekiln"


def offline() -> str | None:
    """The variable that forbids the network (CODEKILN_OFFLINE or HF_HUB_OFFLINE), or None."""
    for variable in ("CODEKILN_OFFLINE", "HF_HUB_OFFLINE"):
        if os.environ.get(variable, "").strip().lower() in ("1", "true", "yes", "on"):
            return variable
    return None


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock of one thing in the cache, so that two processes do not both prepare it; waits for the other.

    Raises RunError when the cache cannot be written.
    """
    path = cache_root() / "locks" / f"{name}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("w")
    except OSError as error:
        raise RunError(
            f"{path.parent}: cannot write ({error.strerror}); set CODEKILN_CACHE to a writable folder"
        ) from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say(f"another codekiln process is preparing {name}; waiting for it")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def sync(path: Path) -> None:
    """Have the disk hold what was written to a file or a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
