"""Folders of boxes that have no file system of their own: made, locked while they are in use, removed when they are not."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

#: The environment's folder for temporary files may be closed to the users that programs run as.
_ROOT = "/tmp"
_PREFIX = "codekiln-box-"


class Place:
    """A new folder, this process's own until it is closed or the process ends, however it does.

    Attributes:
        name: its path; others may pass through it, not look into it.
    """

    def __init__(self) -> None:
        _sweep()
        self.name = tempfile.mkdtemp(prefix=_PREFIX, dir=_ROOT)
        self._lock = _locked(self.name)
        os.chmod(self.name, 0o711)

    def close(self) -> None:
        """Remove it."""
        shutil.rmtree(self.name, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _locked(folder: str) -> int | None:
    """A descriptor that keeps others from removing a folder, or None where another has it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _sweep() -> None:
    """Remove what this user's processes left that were ended before they could."""
    for place in Path(_ROOT).glob(f"{_PREFIX}*"):
        try:
            # One that was made a moment ago is open to its owner alone until it is locked.
            mine = place.lstat().st_uid == os.getuid() and place.lstat().st_mode & 0o777 == 0o711
            lock = _locked(str(place)) if mine else None
        except OSError:
            continue
        if lock is not None:
            shutil.rmtree(place, ignore_errors=True)
            os.close(lock)
