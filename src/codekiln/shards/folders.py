"""Which folders codekiln made, and so may replace or remove; nothing else is ever touched."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

from codekiln.errors import UserError
from codekiln.shards import far
from codekiln.shards.disk import disk_errors
from codekiln.shards.store import MANIFEST

CLAIM = "claim.json"
RECORD = "stage.json"
#: What a record of ours holds at least; a project of somebody else may have files of these names too.
_KEYS = {RECORD: {"key", "output_hash", "files"}, MANIFEST: {"schema_name", "shards"}}
_HASH = re.compile(r"[0-9a-f]{64}")


def is_ours(folder: Path) -> bool:
    """Whether codekiln made a folder: its claim, record or manifest is in it, or nothing at all."""
    if not folder.is_dir():
        return False
    with disk_errors(folder):
        names = set(os.listdir(folder))
    # A kill right after the folder was made leaves no more than the claim's beginning.
    if names <= {CLAIM + ".tmp"}:
        return True
    claim = _read(folder / CLAIM)
    if isinstance(claim, str) and _HASH.fullmatch(claim):
        return True
    records = {name: _read(folder / name) for name in _KEYS}
    return any(isinstance(record, dict) and _KEYS[name] <= set(record) for name, record in records.items())


def require_ours(path: Path) -> None:
    """Refuse to replace what somebody else made.

    Raises:
        UserError: something stands there that codekiln has not made.
    """
    if os.path.lexists(path) and not is_ours(path):
        raise not_ours(path)


def not_ours(path: Path) -> UserError:
    return UserError(
        f"{path}: codekiln has not made this and would replace it; give a new folder with -o, or move it away"
    )


def partial_folder(folder: Path) -> Path:
    """Where work goes on before a folder is whole."""
    return folder.with_name(folder.name + ".partial")


def finished_folder(work: Path) -> Path:
    """What will stand in place of a work folder when it is whole, and where the earlier output still stands."""
    return work.with_name(work.name.removesuffix(".partial"))


def replace_folder(new: Path, out: Path) -> None:
    """Put a finished folder in place of an older one of the same name that codekiln made.

    Raises:
        UserError: somebody else made what stands there.
        RunError: the disk is full or refuses.
    """
    require_ours(out)
    remove_leftover(out)
    with disk_errors(out):
        if os.path.lexists(out):
            os.replace(out, _leftover(out))
        os.replace(new, out)
    remove_leftover(out)


def discard_partial(out: Path) -> None:
    """Remove unfinished work for `out`, under another name so that a kill leaves nothing that seems a user's.

    Raises:
        UserError: somebody else made what stands there.
    """
    work = partial_folder(out)
    require_ours(work)
    remove_leftover(out)
    if os.path.lexists(work):
        with disk_errors(work):
            os.replace(work, _leftover(out))
        remove_leftover(out)


def remove_leftover(out: Path) -> None:
    """Remove what a kill while `out` was replaced has left."""
    path = _leftover(out)
    if path.is_symlink():
        path.unlink()
    else:
        remove_folder(path)


def remove_folder(folder: Path) -> None:
    """Remove a folder that codekiln made, if it is there, and its shards at an address."""
    far.forget(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _leftover(out: Path) -> Path:
    """A hidden name with ours in it: a user's copy of a folder is called otherwise."""
    return out.with_name(f".{out.name}.codekiln.old")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
