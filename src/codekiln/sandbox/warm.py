"""What makes compilers start warm: made once on this machine, read by all programs, written by none."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from codekiln.downloads.cachefolder import cache_root, locked
from codekiln.errors import CodekilnError

#: What could not be made; not tried again by this process.
_failed: set[Path] = set()


def warm_folder() -> Path:
    """The folder that boxes see, made where it can be; what is made later shows up in boxes that run already."""
    folder = cache_root() / "sandbox" / "warm"
    with suppress(OSError):  # where it cannot be made nothing is ever in it, and compilers start cold
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def prepared(name: str, depends_on: Sequence[str], make: Callable[[Path], None]) -> Path | None:
    """The folder that `make` filled, for exactly these versions and flags; made if need be.

    None where it cannot be made: then programs are compiled without it. `make` raises OSError if it fails.
    """
    key = hashlib.sha256(json.dumps(list(depends_on)).encode()).hexdigest()[:16]
    folder = warm_folder() / f"{name}-{key}"
    if (folder / "made").exists():
        return folder
    if folder in _failed:
        return None
    try:
        with locked(f"sandbox-{name}"):
            if not (folder / "made").exists():
                _fill(folder, make)
    except (OSError, CodekilnError):
        _failed.add(folder)
        return None
    return folder


def _fill(folder: Path, make: Callable[[Path], None]) -> None:
    """Made under its own name, which compilers write into their results; "made" tells that it is whole."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    make(folder)
    for place, _, names in os.walk(folder):
        os.chmod(place, 0o755)
        for one in names:
            os.chmod(os.path.join(place, one), 0o644)
    (folder / "made").touch(0o644)
